"""Windows of clips streamed from shards, by path or URL: for more shards than the disk holds, and for several processes.

    stream = stream_windows("http://host/shards/", Streaming(classes={"fall": ["fall"], "walk": ["walk"]}), workers=2)
    for epoch in range(10):
        for batch in stream:
            train(batch.windows, batch.labels)

An epoch reads each sample once, over all processes (those of ``torch.distributed`` or torchrun) and workers. ``state()`` after
any batch lets another stream go on after it, in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from augment.files import sha256_of_json

from .epoch_plan import WorkerPlan, turns, worker_plans
from .inputs.kinds import INPUTS, ClipInput
from .inputs.readable import require_video
from .recordings import Recording, checked_classes
from .shard_samples import streamed_recording
from .shard_stream import ShardUrl, find_shards, planned_samples
from .windows import WindowSampler

IN_MEMORY = ("keypoints", "heatmaps")
"""Inputs whose clips are small enough to be kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """What is cut out of streamed clips."""

    classes: Mapping[str, Sequence[str]]
    """Class name to the frame labels it gathers, or to a single one."""
    input: str = "rgb"
    """What the classifier looks at: a key of ``inputs.kinds.INPUTS``."""
    window_sec: float = 2.0
    """Length of a window, seconds."""
    frames: int = 8
    """Frames taken from a window."""
    size: int = 160
    """Side of the picture, pixels."""
    augment: bool = False
    """Standard augmentation of every window."""
    batch: int = 8
    """Clips that are held at a time, and windows of a batch: one of each clip."""
    windows: int = 4
    """Windows from each clip in an epoch, in as many batches: a clip is read and decoded once for all of them."""
    buffer: int = 64
    """A clip is handed on before or after this many of those stored beside it, which are held as files are: compressed."""
    keep: Path | None = None
    """Folder where decoded clips are kept from the first epoch on, as files. None: in memory, which inputs of keypoints can
    (20 kB for a clip of 5 s) where the calling process reads (``workers=0``): then later epochs don't read them again."""
    keep_clips: int = 0
    """So many clips are kept there, counted from the first shard's first: as many as the disk has room for (a clip of 5 s at
    the default size takes 5 MB). The others are decoded in every epoch."""
    seed: int = 0
    """Decides the order of clips and all draws."""
    even: bool = False
    """Leave out the last clips of an epoch's order, fewer than there are processes, so that all processes have as many batches.
    Otherwise one may have a batch more than another; use ``torch.distributed.algorithms.Join`` then."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", checked_classes(self.classes))
        if self.input not in INPUTS:
            raise ValueError(f"unknown input {self.input!r}; expected one of: {', '.join(INPUTS)}")
        for name in ("frames", "batch", "windows", "buffer"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: expected 1 or more")
        if self.keep_clips and self.keep is None and self.input not in IN_MEMORY:
            raise ValueError(f"keep_clips {self.keep_clips}: needs `keep`, the folder where they are kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBatch:
    """Windows of different clips, as many as could be used of ``Streaming.batch``."""

    windows: Tensor
    """As the input gives them: uint8 (b, 3, t, size, size) for pictures, float (b, 3, t, 17) for keypoints."""
    labels: Tensor
    """Index of each window's class. Shape (b,)."""
    names: list[str]
    """Each window's clip: the tar's URL, ``#``, the sample's key."""
    problems: list[str] = field(default_factory=list)
    """Why clips were left out; told once for each, in the first of its batches."""


class WindowStream:
    """Batches of an epoch at a time; counts what it handed on. Made by ``stream_windows``."""

    def __init__(
        self,
        shards: list[ShardUrl],
        streaming: Streaming,
        *,
        workers: int,
        rank: int,
        world: int,
        state: Mapping[str, Any] | None,
    ) -> None:
        self.shards, self.streaming, self.workers, self.rank, self.world = shards, streaming, workers, rank, world
        self.epoch, self.done = 0, 0
        self.held: Held = {}
        self.problems: list[str] = []
        """Why clips were left out, so far."""
        settings = repr(replace(streaming, keep=None, keep_clips=0))
        facts = [[(shard.url, shard.samples) for shard in shards], settings, workers, world]
        self.digest = sha256_of_json(facts)
        if state is not None:
            self._restore(state)

    def state(self) -> dict[str, Any]:
        """Where the stream is after the last batch handed on: JSON values for ``stream_windows(..., state=...)``."""
        return {"epoch": self.epoch, "batches": self.done, "rank": self.rank, "stream": self.digest}

    def _restore(self, state: Mapping[str, Any]) -> None:
        if missing := [name for name in ("epoch", "batches", "rank", "stream") if name not in state]:
            raise ValueError(f"stream state: field {missing[0]!r} is missing; give what `state()` returned")
        if state["stream"] != self.digest or state["rank"] != self.rank:
            raise ValueError(
                "stream state: it belongs to other shards, settings, or numbers of workers or processes, so the order would "
                "differ; resume with the same ones, or begin a new epoch without a state"
            )
        self.epoch, self.done = int(state["epoch"]), int(state["batches"])

    def plans(self) -> list[WorkerPlan]:
        """Plans of this process's workers for the epoch."""
        s = self.streaming
        return worker_plans(
            [shard.samples for shard in self.shards], seed=s.seed, epoch=self.epoch, rank=self.rank, world=self.world,
            workers=max(1, self.workers), batch=s.batch, buffer=s.buffer, even=s.even,
        )  # fmt: skip

    def __len__(self) -> int:
        """Batches of the epoch, from its beginning; a few may turn out empty and are not handed on."""
        return sum(self._batches(plan) for plan in self.plans())

    def _batches(self, plan: WorkerPlan) -> int:
        return -(-len(plan.order) // self.streaming.batch) * self.streaming.windows

    def __iter__(self) -> Iterator[StreamBatch]:
        """The rest of the epoch; afterwards the stream stands at the beginning of the next one.

        Raises:
            ValueError: If a tar cannot be read to its end, or no clip of a whole epoch can be used.
        """
        plans, whole, usable = self.plans(), self.done == 0, False
        order = turns([self._batches(plan) for plan in plans])
        begun, rest = order[: self.done], order[self.done :]
        # the first worker of the loader takes the turn that comes next
        parts = [(worker, plans[worker], begun.count(worker)) for worker in dict.fromkeys(rest)]
        held = self.held if self.streaming.keep is None and not self.workers else {}
        dataset = _Part(shards=self.shards, streaming=self.streaming, epoch=self.epoch, parts=parts, held=held)
        loader = DataLoader(dataset, batch_size=None, num_workers=min(self.workers, len(parts)), collate_fn=_same)
        for batch in loader if parts else ():
            self.done += 1
            if isinstance(batch, str):
                raise ValueError(batch)
            self.problems += batch.problems
            if len(batch.labels):
                usable = True
                yield batch
        if whole and parts and not usable:
            count = sum(len(plan.order) for plan in plans)
            tars = self.shards[0].url + (f" and {len(self.shards) - 1} more" if len(self.shards) > 1 else "")
            raise ValueError(f"{tars}: none of {count} clips can be used: {self.problems[-1]}")
        self.epoch, self.done = self.epoch + 1, 0


def stream_windows(
    urls: str | Path | Sequence[str | Path], streaming: Streaming, *, workers: int = 0, rank: int | None = None,
    world: int | None = None, state: Mapping[str, Any] | None = None,
) -> WindowStream:  # fmt: skip
    """Windows of the clips in shards, in batches.

    Args:
        urls: See ``shard_stream.find_shards``: a folder, its URL ending in ``/``, or tars.
        streaming: What is cut out.
        workers: Processes that read and decode; 0: the calling one.
        rank: Number of this process; by default that of ``torch.distributed``, of torchrun, or 0.
        world: Number of processes, likewise.
        state: What ``WindowStream.state`` returned, to go on from there.
    Raises:
        ValueError: If a source cannot be read, or the state belongs to another stream.
    """
    if workers < 0:
        raise ValueError(f"workers {workers}: expected 0 or more")
    if workers and streaming.keep_clips and streaming.keep is None:
        raise ValueError(f"keep_clips {streaming.keep_clips}: {workers} workers keep no clips in memory; name a folder, `keep`")
    found_rank, found_world = _process()
    return WindowStream(
        find_shards(urls), streaming, workers=workers, rank=found_rank if rank is None else rank,
        world=found_world if world is None else world, state=state,
    )  # fmt: skip


def _process() -> tuple[int, int]:
    """Number of this process and of all."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def _same(batch: Any) -> Any:
    return batch


@dataclass(slots=True, kw_only=True)
class _Part(IterableDataset):
    """What the workers of one epoch's loader read; worker n takes the n-th part."""

    shards: list[ShardUrl]
    streaming: Streaming
    epoch: int
    parts: list[tuple[int, WorkerPlan, int]]
    """Number of the worker, its plan, and batches that it has already given."""
    held: Held
    """Clips of earlier epochs; those read now are added where they are kept in memory."""

    def __iter__(self) -> Iterator[StreamBatch | str]:
        worker = get_worker_info()
        _, plan, begun = self.parts[0 if worker is None else worker.id]
        try:
            yield from self._batches(plan, begun)
        except (ValueError, OSError) as error:  # a loader would add a traceback of several lines
            yield f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)

    def _batches(self, plan: WorkerPlan, begun: int) -> Iterator[StreamBatch]:
        s = self.streaming
        groups, first = divmod(begun, s.windows)
        places = [(shard, number) for shard, first_one, end in plan.read for number in range(first_one, end)]
        have = frozenset(at for at, place in enumerate(places) if place in self.held)
        samples = planned_samples(self.shards, plan, skip=groups * s.batch, without=have)
        before = np.cumsum([0, *(shard.samples for shard in self.shards)])
        for start in range(groups * s.batch, len(plan.order), s.batch):
            clips, problems = [], []
            for at in plan.order[start : start + s.batch]:
                shard, number = places[at]
                clip = self.held.get(places[at])
                if clip is None:
                    kept = before[shard] + number < s.keep_clips
                    clip = _clip_or_reason(self.shards[shard].url, next(samples)[2], s, keep=s.keep if kept else None)
                    if kept and s.keep is None:
                        self.held[places[at]] = clip
                if isinstance(clip, str):
                    problems.append(clip)
                else:
                    clip.rng = np.random.default_rng([s.seed, self.epoch, shard, number])
                    clips.append(clip)
            for turn in range(s.windows):
                drawn = [clip.draw(s) for clip in clips]
                if turn >= first:
                    yield _batch(drawn, clips, problems if turn == 0 else [])
            first = 0


@dataclass(slots=True, kw_only=True)
class _Clip:
    """One clip while its windows are drawn."""

    name: str
    recording: Recording
    store: ClipInput
    sampler: WindowSampler
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    """Set anew in every epoch."""

    @classmethod
    def of(cls, url: str, sample: Mapping[str, Any], s: Streaming, *, keep: Path | None) -> _Clip:
        recording = streamed_recording(url, sample)
        try:
            sampler = WindowSampler([recording], s.classes, window_sec=s.window_sec)
        except ValueError:
            raise ValueError(f"{recording.name}: no segment of any class") from None
        store = INPUTS[s.input].store(folder=keep, size=s.size, frames=s.frames, window_sec=s.window_sec)
        require_video(recording)
        store.get(recording)
        recording = replace(recording, content=None, keypoints=None, mask=None) if s.input in IN_MEMORY else recording
        return cls(name=f"{url}#{sample['__key__']}", recording=recording, store=store, sampler=sampler)

    def draw(self, s: Streaming) -> tuple[Tensor, int]:
        classes = self.sampler.classes
        window = self.sampler.draw(classes[int(self.rng.integers(len(classes)))], rng=self.rng)
        if s.augment:
            return self.store.augmented(self.recording, window, rng=self.rng), window.label
        return self.store.plain(self.recording, window), window.label


def _clip_or_reason(url: str, sample: Mapping[str, Any], s: Streaming, *, keep: Path | None) -> _Clip | str:
    """A clip ready for its windows to be drawn, or why it cannot be used."""
    try:
        return _Clip.of(url, sample, s, keep=keep)
    except ValueError as error:
        return str(error)


Held = dict[tuple[int, int], "_Clip | str"]
"""Clips kept in memory, by shard and number in it; for one that cannot be used, why."""


def _batch(drawn: Sequence[tuple[Tensor, int]], clips: Sequence[_Clip], problems: list[str]) -> StreamBatch:
    windows = torch.stack([window for window, _ in drawn]) if drawn else torch.empty(0)
    labels = torch.tensor([label for _, label in drawn], dtype=torch.long)
    return StreamBatch(windows=windows, labels=labels, names=[clip.name for clip in clips], problems=problems)
