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
from ..files import remove_unfinished, sha256_of_json
from ..motion.store import StoreWriter, read_store
from ..progress import Progress
from ..seeds import clip_rng
from ..types import Motion
from ..workers import map_unordered, stopping
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
    """Number of failed attempts by reason."""

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


def make_pool(recipe: Recipe, seed: int, plan: list[PlannedClip], out: Path, *, workers: int) -> Pool | None:
    """Make every motion that clips of the plan share; None if there is none.

    Args:
        recipe: The run's.
        seed: The run's.
        plan: All clips of the run.
        out: The run's folder; motions that it holds are kept.
        workers: Processes.
    Raises:
        OSError: If the disk is full or a worker dies; finished motions stay.
    """
    wanted = {clip.motion: clip for clip in plan if clip.motion is not None}
    if not wanted:
        return None
    rejections: Counter[str] = Counter()
    if (out / POOL).exists():
        remove_unfinished(out / POOL)
    with StoreWriter(out / POOL) as store:
        todo = [PoolTask(clip=clip, recipe=recipe, seed=seed) for name, clip in wanted.items() if name not in store.rows]
        made = map_unordered(make_motion, todo, workers=min(workers, max(len(todo), 1)), initializer=_init_worker)
        with Progress() as progress, closing(made):
            done = len(wanted) - len(todo)
            progress.update("motions", done, len(wanted))
            for name, motion, reasons in made if todo else ():
                if motion is not None:
                    store.add(motion, rest_pelvis=_body(recipe.people.body).rest_joints(motion.betas)[0])
                else:
                    rejections.update(reasons)
                done += 1
                progress.update("motions", done, len(wanted), note=name)
    motions = read_store(out / POOL)
    for motion in motions:
        rejections.update(motion.provenance["pool"]["rejections"])
    names = tuple(row["name"] for row in motions.rows)
    return Pool(
        folder=out / POOL, sha256=sha256_of_json([row["sha256"] for row in motions.rows]), names=names, rejections=rejections
    )


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
        kinds.setdefault(name.rsplit("-", 1)[0], []).append(name)
    found = []
    for clip in clips:
        if clip.motion is not None and clip.motion not in pool.names:
            others = kinds.get(clip.motion.rsplit("-", 1)[0])
            clip = dataclasses.replace(clip, motion=others[clip.number % len(others)] if others else clip.motion)
        found.append(clip)
    return found


_body = lru_cache(maxsize=1)(load_body)


def _init_worker() -> None:
    import torch

    torch.set_num_threads(1)
