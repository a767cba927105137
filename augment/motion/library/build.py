"""The embedded motion library: daily actions and falls, each on a body of its own, written to a motion store.

A clip depends on (seed, key) alone, so any number of workers and any number of interruptions give the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...actions import DAILY, FALLS
from ...body.skinning import lowest_skin
from ...progress import Progress
from ...seeds import clip_rng
from ...types import Motion
from ...workers import map_unordered
from .scripted import ik
from .scripted.act import LICENCE, make_action
from .scripted.rig import make_rig, skin_of

if TYPE_CHECKING:
    from ...body.model import Body

ATTEMPTS = 12
"""Attempts per clip."""
LOWEST = -0.02
"""Lowest height of the skin that is accepted, metres."""
FASTEST = 28.0
"""Largest angular velocity of a joint that is accepted, radians a second."""
START_SHARE = 0.6
"""Share of the falls that interrupt a scripted action; the others have a start of the simulator."""


@dataclass(slots=True)
class LibrarySummary:
    """Result of a build."""

    kept: int = 0
    """Requested motions that are in the store."""
    added: int = 0
    """Motions made by this run."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Number of rejected attempts by reason."""
    missing: list[str] = field(default_factory=list)
    """Clips without an accepted attempt."""


def library_keys(per_action: int, actions: Sequence[str] | None = None) -> list[str]:
    """Names of all clips, in order.

    Raises:
        ValueError: For an action the library cannot make, or fewer than one clip an action.
    """
    chosen = list(actions) if actions else [*DAILY, *FALLS]
    for name in chosen:
        if name not in (*DAILY, *FALLS):
            raise ValueError(f"actions: {name!r} is not in the library; expected some of: {', '.join((*DAILY, *FALLS))}")
    if per_action < 1:
        raise ValueError(f"per_action: expected 1 or more, found {per_action}")
    return [f"{name}-{index:04d}" for name in dict.fromkeys(chosen) for index in range(per_action)]


def build_library(
    out: Path, *, per_action: int, seed: int, workers: int = 1, actions: Sequence[str] | None = None
) -> LibrarySummary:
    """Write a motion store with ``per_action`` clips of every action.

    Args:
        out: Folder of the store; clips it already holds from the same seed stay as they are.
        seed: Seed of all random choices, with the clip's name.
        workers: Processes.
        actions: Some of ``actions.DAILY`` and ``actions.FALLS``; all by default.
    Raises:
        ValueError: For unknown actions or a store that cannot be read.
    """
    from ..store import StoreWriter

    keys = library_keys(per_action, actions)
    summary = LibrarySummary()
    with StoreWriter(Path(out)) as store:
        origin = _source(seed)
        todo = [key for key in keys if key not in store.rows or store.rows[key]["source"] != origin]
        with Progress() as progress, closing(_clips(todo, seed, workers)) as clips:
            progress.update("library", 0, len(todo))
            for done, (key, motion, reasons) in enumerate(clips, start=1):
                summary.rejected.update(reasons)
                if motion is None:
                    summary.missing.append(key)
                else:
                    store.add(motion, rest_pelvis=np.asarray(_body().rest_joints(motion.betas))[0])
                    summary.added += 1
                progress.update("library", done, len(todo))
        summary.missing.sort()
        summary.kept = len(set(keys) & set(store.rows))
    return summary


def make_clip(key: str, *, seed: int, body: Body) -> tuple[Motion | None, list[str]]:
    """One clip of the library (None if all attempts failed), and the reasons of rejected attempts."""
    from ...body.shapes import sample_betas

    action = key.rsplit("-", 1)[0]
    reasons: list[str] = []
    for attempt in range(ATTEMPTS):
        rng = clip_rng(seed, key, attempt)
        betas = sample_betas(body, rng=rng)
        if action in FALLS:
            motion = _make_fall(action, betas, rng=rng, body=body)
        else:
            motion = make_action(action, rng=rng, body=body, betas=betas)
            motion = implausible(motion, body) or motion
        if isinstance(motion, str):
            reasons.append(f"{action}: {motion}")
            continue
        provenance = {
            **motion.provenance, "origin": "simulated" if action in FALLS else "scripted", "seed": seed, "key": key,
            "attempt": attempt, "body": body.name,
        }  # fmt: skip
        return dataclasses.replace(
            motion, name=key, action=action, source=_source(seed), licence=LICENCE, subject=f"library-{seed}-{key}",
            provenance=provenance,
        ), reasons  # fmt: skip
    return None, reasons


def implausible(motion: Motion, body: Body) -> str | None:
    """Why a scripted motion is rejected (skin below the floor, a joint too fast), or None."""
    rig = make_rig(body, motion.betas)
    turns = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)
    rotations = ik.from_rotvec(turns)
    positions, worlds = ik.forward(rotations, rig.rest)
    positions = positions + (motion.transl + rig.rest[0])[:, None]
    if not np.isfinite(positions).all():
        return "not finite"
    if lowest_skin(skin_of(rig), positions, worlds).min() < LOWEST:
        return f"skin more than {-100 * LOWEST:.0f} cm under the floor"
    step = ik.angle(ik.transpose(rotations[:-1]) @ rotations[1:])
    if len(step) and step.max() * motion.fps > FASTEST:
        return f"a joint turns faster than {FASTEST:.0f} rad/s"
    return None


def _make_fall(action: str, betas: np.ndarray, *, rng: np.random.Generator, body: Body) -> Motion | str:
    """A motion, or the reason of its rejection."""
    from .falls.plan import FallRequest
    from .falls.simulate import FallRejected, simulate_fall

    start = None
    if rng.random() < START_SHARE:
        name = "sit" if action == "fall_from_chair" else "walk" if rng.random() < 0.6 else "stand"
        start = make_action(name, rng=rng, body=body, betas=betas, seconds=float(rng.uniform(2.2, 3.2)))
    try:
        return simulate_fall(FallRequest(kind=action, betas=betas, start=start), rng=rng, body=body)
    except FallRejected as rejected:
        return rejected.reason


def _source(seed: int) -> str:
    return f"understudy motion library, seed {seed}"


@lru_cache(maxsize=1)
def _body() -> Body:
    import torch

    from ...body.model import load_body

    torch.set_num_threads(1)
    return load_body()


def _work(task: tuple[str, int]) -> tuple[str, Motion | None, list[str]]:
    key, seed = task
    motion, reasons = make_clip(key, seed=seed, body=_body())
    return key, motion, reasons


def _clips(keys: list[str], seed: int, workers: int) -> Generator[tuple[str, Motion | None, list[str]], None, None]:
    """Clips as they are done; with one worker in this process."""
    tasks = [(key, seed) for key in keys]
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_work, tasks)
    else:
        yield from map_unordered(_work, tasks, workers=min(workers, len(tasks)))
