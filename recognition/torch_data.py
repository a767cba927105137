"""Clips for somebody else's training loop, as PyTorchVideo's ``LabeledVideoDataset`` gives them.

An item is ``{"video": float (3, t, h, w) from 0 to 255, "label": int, "video_name": str, "video_index": int, "clip_index": int,
"aug_index": int}``: whatever takes PyTorchVideo's clips takes these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

from .csv_table import read_csv
from .inputs.kinds import INPUTS
from .recordings import checked_classes
from .shard_samples import read_samples
from .stream import Streaming, WindowStream, stream_windows
from .windows import evaluation_windows


class ClipDataset(Dataset):
    """The windows of labelled videos, map style: every segment's windows, a second apart, in the order of the videos.

    Each video is decoded once, small, and kept in ``folder``. ``len`` and items by index work with any sampler, with
    ``DataLoader`` and its workers.

    Args:
        source: CSV of real videos, folder of shards, or one tar.
        classes: Class name to the frame labels it gathers, or to a single one; its place is the label.
        folder: For the decoded videos; it may be used again while the videos stay as they are.
        window_sec: Length of a clip, seconds.
        frames: Frames of a clip.
        size: Side of the square picture, pixels.
        input: A key of ``inputs.kinds.INPUTS``.
        augment: Standard augmentation, drawn from ``seed``, the item's index and ``epoch``.
        seed: Decides the augmentation.
        where: Column to value(s): rows of the CSV that are used.
    Raises:
        ValueError: If the source is malformed or no segment has a class.
        OSError: If it cannot be read.
    """

    def __init__(
        self, source: str | Path, classes: Mapping[str, Sequence[str]], *, folder: str | Path, window_sec: float = 2.0,
        frames: int = 8, size: int = 160, input: str = "rgb", augment: bool = False, seed: int = 0,
        where: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:  # fmt: skip
        if input not in INPUTS:
            raise ValueError(f"unknown input {input!r}; expected one of: {', '.join(INPUTS)}")
        path, classes = Path(source), checked_classes(classes)
        self.recordings = read_csv(path, where=where or {}) if path.suffix == ".csv" else read_samples(path)
        self.windows = evaluation_windows(self.recordings, classes, window_sec=window_sec)
        if not self.windows:
            raise ValueError(f"{path}: no segment has a label of: {', '.join(classes)}")
        self.store = INPUTS[input].store(folder=Path(folder), size=size, frames=frames, window_sec=window_sec)
        self.augment, self.seed, self.epoch = augment, seed, 0
        """Set ``epoch`` before each epoch, so that the augmentation differs."""
        first = {}
        for number, window in enumerate(self.windows):
            first.setdefault(window.recording, number)
        self._first = first

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        window = self.windows[index]
        recording = self.recordings[window.recording]
        if self.augment:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            video = self.store.augmented(recording, window, rng=rng)
        else:
            video = self.store.plain(recording, window)
        return {
            "video": video.float(), "label": window.label, "video_name": recording.name, "video_index": window.recording,
            "clip_index": index - self._first[window.recording], "aug_index": 0,
        }  # fmt: skip


class StreamedClipDataset(IterableDataset):
    """The same items streamed from shards by path or URL, an epoch at a time: see ``stream.stream_windows``.

    It starts the workers itself (``workers``): give it to a ``DataLoader`` with ``num_workers=0``, which makes the batches, or
    iterate it. ``stream.state()`` lets another one go on where this one is (whole ``Streaming.batch`` at a time).
    """

    def __init__(
        self, urls: str | Path | Sequence[str | Path], streaming: Streaming, *, workers: int = 0, **process: Any
    ) -> None:
        self.stream: WindowStream = stream_windows(urls, streaming, workers=workers, **process)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if torch.utils.data.get_worker_info() is not None:
            raise ValueError("StreamedClipDataset starts its own workers: give num_workers=0 to the DataLoader")
        videos: dict[str, int] = {}
        clips: Counter[str] = Counter()
        for batch in self.stream:
            for video, label, name in zip(batch.windows, batch.labels, batch.names, strict=True):
                yield {
                    "video": video.float(), "label": int(label), "video_name": name,
                    "video_index": videos.setdefault(name, len(videos)), "clip_index": clips[name], "aug_index": 0,
                }  # fmt: skip
                clips[name] += 1
