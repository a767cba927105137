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

from ...actions import ACTIONS, DAILY, FALLS, PAIRS
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


def library_keys(per_action: int, actions: Sequence[str] | None = None, people: int | None = None) -> list[str]:
    """Names of all clips, in order.

    Args:
        per_action: Clips of each action.
        actions: Their names; all actions of ``people`` people by default.
        people: 1 or 2; by default as many as each of ``actions`` has, and 1 where none is named.
    Raises:
        ValueError: For an action the library cannot make or one of another number of people, or fewer than one clip an action.
    """
    if people not in (None, 1, 2):
        raise ValueError(f"people: expected 1 or 2, found {people}")
    all_of = {1: (*DAILY, *FALLS), 2: PAIRS}
    chosen = list(actions) if actions else list(all_of[people or 1])
    for name in chosen:
        if name not in (*all_of[1], *all_of[2]):
            raise ValueError(
                f"actions: {name!r} is not in the library; expected some of: {', '.join((*all_of[1], *all_of[2]))}"
            )
        if people is not None and ACTIONS[name].people != people:
            raise ValueError(
                f"actions: {name!r} is done by {ACTIONS[name].people}, not by {people}; of {people} there are: "
                f"{', '.join(all_of[people])}"
            )
    if per_action < 1:
        raise ValueError(f"per_action: expected 1 or more, found {per_action}")
    return [f"{name}-{index:04d}" for name in dict.fromkeys(chosen) for index in range(per_action)]


def build_library(
    out: Path, *, per_action: int, seed: int, workers: int = 1, actions: Sequence[str] | None = None,
    people: int | None = None,
) -> LibrarySummary:  # fmt: skip
    """Write a motion store with ``per_action`` clips of every action; a clip of two people is two motions.

    Args:
        out: Folder of the store; clips it already holds from the same seed stay as they are.
        seed: Seed of all random choices, with the clip's name.
        workers: Processes.
        actions: Some of ``actions.DAILY``, ``actions.FALLS`` and ``actions.PAIRS``; all of ``people`` people by default.
        people: See ``library_keys``.
    Raises:
        ValueError: For unknown actions or a store that cannot be read.
    """
    from ..store import StoreWriter

    keys = library_keys(per_action, actions, people)
    summary = LibrarySummary()
    with StoreWriter(Path(out)) as store:
        origin = _source(seed)
        made = {name for name, row in store.rows.items() if row["source"] == origin}
        todo = [key for key in keys if not made.issuperset(_names(key))]
        with Progress() as progress, closing(_clips(todo, seed, workers)) as clips:
            progress.update("library", 0, len(todo))
            for done, (key, motions, reasons) in enumerate(clips, start=1):
                summary.rejected.update(reasons)
                if not motions:
                    summary.missing.append(key)
                for motion in motions:
                    store.add(motion, rest_pelvis=np.asarray(_body().rest_joints(motion.betas))[0])
                    summary.added += 1
                progress.update("library", done, len(todo))
        summary.missing.sort()
        summary.kept = len({name for key in keys for name in _names(key)} & set(store.rows))
    return summary


def _names(key: str) -> tuple[str, ...]:
    """Names of a clip's motions."""
    return (f"{key}-1", f"{key}-2") if key.rsplit("-", 1)[0] in PAIRS else (key,)


def make_clip(key: str, *, seed: int, body: Body) -> tuple[tuple[Motion, ...], list[str]]:
    """One clip of the library: a motion, or those of two people; none if all attempts failed. And the reasons."""
    action = key.rsplit("-", 1)[0]
    reasons: list[str] = []
    for attempt in range(ATTEMPTS):
        motions = _attempt(action, key, rng=clip_rng(seed, key, attempt), body=body)
        if isinstance(motions, str):
            reasons.append(f"{action}: {motions}")
            continue
        facts = {
            "origin": "simulated" if action in FALLS else "scripted", "seed": seed, "key": key, "attempt": attempt,
            "body": body.name,
        }  # fmt: skip
        return tuple(
            dataclasses.replace(
                motion, action=action, source=_source(seed), licence=LICENCE, subject=f"library-{seed}-{motion.name}",
                provenance=motion.provenance | facts,
            )
            for motion in motions
        ), reasons  # fmt: skip
    return (), reasons


def _attempt(action: str, key: str, *, rng: np.random.Generator, body: Body) -> tuple[Motion, ...] | str:
    """The motions of a clip, named, or the reason of their rejection."""
    from ...body.shapes import sample_betas

    betas = sample_betas(body, rng=rng)
    if action in PAIRS:
        return _make_pair(action, key, betas, rng=rng, body=body)
    if action in FALLS:
        motion = _make_fall(action, betas, rng=rng, body=body)
    else:
        motion = make_action(action, rng=rng, body=body, betas=betas)
        motion = implausible(motion, body) or motion
    return motion if isinstance(motion, str) else (dataclasses.replace(motion, name=key),)


def _make_pair(
    action: str, key: str, betas: np.ndarray, *, rng: np.random.Generator, body: Body
) -> tuple[Motion, Motion] | str:  # fmt: skip
    from ...body.shapes import sample_betas
    from ..partners import name_pair
    from .falls.simulate import FallRejected
    from .pairs.act import make_pair

    try:
        one, other = make_pair(action, rng=rng, body=body, betas=(betas, sample_betas(body, rng=rng)))
    except FallRejected as rejected:
        return rejected.reason
    # A simulated fall is judged where it is made.
    judged = (other,) if action == "push" else (one, other)
    problem = next((reason for motion in judged if (reason := implausible(motion, body))), None)
    return problem or name_pair(one, other, key, body)


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


def _work(task: tuple[str, int]) -> tuple[str, tuple[Motion, ...], list[str]]:
    key, seed = task
    motions, reasons = make_clip(key, seed=seed, body=_body())
    return key, motions, reasons


def _clips(keys: list[str], seed: int, workers: int) -> Generator[tuple[str, tuple[Motion, ...], list[str]], None, None]:
    """Clips as they are done; with one worker in this process."""
    tasks = [(key, seed) for key in keys]
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_work, tasks)
    else:
        yield from map_unordered(_work, tasks, workers=min(workers, len(tasks)))
