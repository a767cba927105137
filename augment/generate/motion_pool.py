"""The pool of motions of a run: made ahead by the workers, stored in the run's folder, each used by several clips.

The pool is a motion store. A motion depends on (run seed, its name) alone; a store is written under digests and goes on where
it was interrupted; clips read their motions from it, so the first run and a resumed one use the same numbers.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..body.model import load_body
from ..engines import ENGINES
from ..files import remove_unfinished, sha256_of, sha256_of_json, write_atomic
from ..motion.store import StoreWriter, read_store
from ..progress import Progress
from ..seeds import clip_rng
from ..types import Motion
from ..workers import stopping
from .casting import SOURCES, draw_betas
from .recipe import PlannedClip, Recipe

POOL = "motions"
"""Folder in the output where the pool is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The motions of a run, made."""

    folder: Path
    sha256: str
    """Stands for the content of all of them."""
    names: tuple[str, ...]
    """Those that could be made."""
    rejections: Counter[str] = field(default_factory=Counter)
    """Number of failed attempts by reason, of all motions."""
    failed: dict[str, Counter[str]] = field(default_factory=dict)
    """Those of each motion that could not be made."""

    def describe(self) -> dict[str, Any]:
        """For the manifest."""
        return {"folder": self.folder.name, "made": len(self.names), "sha256": self.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTask:
    """One motion to make; sent to a worker."""

    clip: PlannedClip
    """One of the clips that use it."""
    recipe: Recipe
    seed: int


def make_pool(
    recipe: Recipe,
    seed: int,
    plan: list[PlannedClip],
    out: Path,
    *,
    clips: list[PlannedClip],
    workers: int,
    engine: str = "local",
) -> Pool | None:
    """Make every motion that some clips need; None if clips of this plan share no motions.

    Args:
        recipe: The run's.
        seed: The run's.
        plan: All clips of the run.
        out: The run's folder; motions that it holds are kept.
        clips: Those to be filmed. Where a motion of theirs cannot be made, all of its kind are, as one may stand in for it.
        workers: Processes.
        engine: A key of ``engines.ENGINES``.
    Raises:
        OSError: If the disk is full or a worker dies; finished motions stay.
    """
    planned = {clip.motion: clip for clip in plan if clip.motion is not None}
    if not planned:
        return None
    needed = {clip.motion for clip in clips if clip.motion is not None}
    wanted = {name: clip for name, clip in planned.items() if name in needed}
    failed = _make_motions(recipe, seed, wanted, out / POOL, engine, workers=workers)
    kinds = {_kind(name) for name in failed}
    others = {name: clip for name, clip in planned.items() if name not in wanted and _kind(name) in kinds}
    if others:
        failed |= _make_motions(recipe, seed, others, out / POOL, engine, workers=workers)
    return pool_of(out / POOL, failed)


def _make_motions(
    recipe: Recipe, seed: int, wanted: dict[str, PlannedClip], folder: Path, engine: str, *, workers: int
) -> dict[str, Counter[str]]:
    """Add missing motions to the store; why those that could not be made failed."""
    failed: dict[str, Counter[str]] = {}
    if folder.exists():
        remove_unfinished(folder)
    with StoreWriter(folder) as store:
        todo = [PoolTask(clip=clip, recipe=recipe, seed=seed) for name, clip in wanted.items() if name not in store.rows]
        files = [path for path in {recipe.people.body, *(task.clip.path for task in todo)} if path is not None]
        made = ENGINES[engine](
            make_motion, todo, workers=min(workers, max(len(todo), 1)), initializer=_init_worker, files=sorted(files)
        )
        with Progress() as progress, closing(made):
            done = len(wanted) - len(todo)
            progress.update("motions", done, len(wanted))
            for name, motion, reasons in made if todo else ():
                if motion is not None:
                    store.add(motion, rest_pelvis=_body(recipe.people.body).rest_joints(motion.betas)[0])
                else:
                    failed[name] = reasons
                done += 1
                progress.update("motions", done, len(wanted), note=name)
    return failed


def pool_of(folder: Path, failed: dict[str, Counter[str]]) -> Pool:
    """The pool in a store, with the reasons why others could not be made."""
    motions = read_store(folder)
    tries = [Counter(motion.provenance["pool"]["rejections"]) for motion in motions]
    return Pool(
        folder=folder,
        sha256=sha256_of_json([row["sha256"] for row in motions.rows]),
        names=tuple(row["name"] for row in motions.rows),
        rejections=sum([*tries, *failed.values()], Counter()),
        failed=failed,
    )


def join_pools(pools: list[Path], out: Path) -> None:
    """Copy the motions of several parts' stores into one.

    Raises:
        ValueError: If a motion is missing or was changed.
    """
    with StoreWriter(out) as store:
        for folder in pools:
            for row in read_store(folder).rows:
                data = (folder / row["file"]).read_bytes() if (folder / row["file"]).exists() else b""
                if sha256_of(data) != row["sha256"]:
                    raise ValueError(f"{folder / row['file']}: missing or changed since it was made; make this part again")
                if row["name"] not in store.rows:
                    write_atomic(out / row["file"], data)
                    store.rows[row["name"]] = row


def _kind(name: str) -> str:
    """Motions of one line of the recipe are called alike but for their number."""
    return name.rsplit("-", 1)[0]


def make_motion(task: PoolTask) -> tuple[str, Motion | None, Counter[str]]:
    """A motion's name, the motion (None if every attempt failed) and the failed attempts by reason."""
    from ..motion.library.falls.simulate import FallRejected

    clip, people = task.clip, task.recipe.people
    assert clip.motion is not None
    body, rejections = _body(people.body), Counter[str]()
    for attempt in range(task.recipe.attempts):
        if stopping():
            break
        rng = clip_rng(task.seed, f"motion {clip.motion}", attempt)
        try:
            motion = SOURCES[clip.source](clip, draw_betas(people, body, rng=rng), body, rng=rng)
        except FallRejected as rejected:
            rejections[f"{clip.action}: {rejected.reason}"] += 1
        except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
            rejections[f"{clip.action}: error: {str(error).splitlines()[0] if str(error) else type(error).__name__}"] += 1
        else:
            facts = {"seed": task.seed, "name": clip.motion, "attempt": attempt, "rejections": dict(rejections)}
            provenance = {**motion.provenance, "pool": facts}
            return clip.motion, dataclasses.replace(motion, name=clip.motion, provenance=provenance), rejections
    return clip.motion, None, rejections


def with_motions(clips: list[PlannedClip], pool: Pool) -> list[PlannedClip]:
    """The clips, each with a motion that could be made: one that could not is replaced by others of the same kind."""
    kinds: dict[str, list[str]] = {}
    for name in pool.names:
        kinds.setdefault(_kind(name), []).append(name)
    found = []
    for clip in clips:
        if clip.motion is not None and clip.motion not in pool.names:
            others = kinds.get(_kind(clip.motion))
            clip = dataclasses.replace(clip, motion=others[clip.number % len(others)] if others else clip.motion)
        found.append(clip)
    return found


_body = lru_cache(maxsize=1)(load_body)


def _init_worker() -> None:
    import torch

    torch.set_num_threads(1)
