"""The people of a planned clip: their bodies, and motions from the library, the simulator, a generator or a store."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..actions import ACTIONS, FALLS, caption_for
from ..body.model import Body
from ..body.shapes import betas_from_phenotype
from ..files import sha256_of_json
from ..motion.resample import crop
from ..placement.place import move_motion
from ..types import Motion, Performance, Segment
from .recipe import PeopleOptions, PlannedClip

BYSTANDERS = ("stand", "walk")
"""Actions of the other people in a room."""
YOUNGEST, OLDEST = 25.0, 90.0
"""Years that a phenotype's age 0 and 1 stand for."""


def cast(
    clip: PlannedClip, people: PeopleOptions, body: Body, *, rng: np.random.Generator, seconds: float | None
) -> Performance:
    """Draw the people of a clip and their motions, in one world frame around the origin.

    Args:
        seconds: Longest performance; longer ones are cut around the action.
    Raises:
        FallRejected: If a simulated fall is implausible or not the one asked for.
        ValueError: If the action cannot be had from that source.
    """
    lead = fit_seconds(SOURCES[clip.source](clip, draw_betas(people, body, rng=rng), body, rng=rng), seconds, rng=rng)
    others = [_bystander(lead, people, body, number, rng=rng) for number in range(clip.others)]
    return Performance(
        people=(lead, *others),
        action=clip.action,
        caption=lead.caption or caption_for(clip.action, rng=rng),
        segments=lead.segments or (Segment(label=ACTIONS[clip.action].label, start_sec=0.0, end_sec=lead.seconds),),
        provenance={
            "motion": {
                "from": clip.source, "name": lead.name, "source": lead.source, "licence": lead.licence,
                "subject": lead.subject, "support": lead.support, "details": lead.provenance,
            }
        },
    )  # fmt: skip


def draw_betas(people: PeopleOptions, body: Body, *, rng: np.random.Generator) -> np.ndarray:
    """A body shape within the recipe's ranges, (10,)."""
    height, age = rng.uniform(*people.height_m), rng.uniform(*people.age)
    build = np.clip(rng.normal(0.5, 0.15), 0.05, 0.95)
    # Stature and sex are correlated.
    female = float(rng.random() < 1 / (1 + np.exp((height - 1.685) / 0.045)))
    return betas_from_phenotype(
        body,
        height_m=float(height),
        weight=float(build),
        age=float(np.clip((age - YOUNGEST) / (OLDEST - YOUNGEST), 0, 1)),
        gender=float(np.clip(female + rng.normal(0, 0.1), 0, 1)),
    )


def _from_library(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..motion.library.scripted.act import make_action

    if clip.action in FALLS:
        return _from_physics(clip, betas, body, rng=rng)
    return make_action(clip.action, rng=rng, body=body, betas=betas)


def _from_physics(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..motion.library.falls.plan import FallRequest
    from ..motion.library.falls.simulate import simulate_fall

    return simulate_fall(FallRequest(kind=clip.action, betas=betas), rng=rng, body=body)


def _from_generator(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..generators.sample import sample
    from ..motion.reshape import to_shape

    # One clip a call: its bytes must not depend on which clips it is batched with.
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    (motion,) = sample(_generator(clip.path), [clip.action], generator=noise)
    return to_shape(motion, betas, body)


def _from_store(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..motion.reshape import to_shape

    assert clip.path is not None
    store, rows = _store_rows(clip.path, clip.action)
    return to_shape(store[rows[int(rng.integers(len(rows)))]], betas, body)


SOURCES: dict[str, Callable[..., Motion]] = {
    "library": _from_library, "physics": _from_physics, "generator": _from_generator, "store": _from_store,
}  # fmt: skip
"""A recipe's ``from`` to the function that gives the motion."""


def check_sources(plan: list[PlannedClip]) -> dict[str, str]:
    """Open what the plan draws motions from, before any work is done.

    Returns:
        Name of each outside source (a store, a generator) to the digest that stands for its content.
    Raises:
        ValueError: If a store or generator is missing or does not know an action of the plan.
    """
    digests: dict[str, str] = {}
    for source, path, action in sorted({(c.source, c.path, c.action) for c in plan}, key=str):
        if source == "store":
            assert path is not None
            store, _ = _store_rows(path, action)
            digests[f"store {path.name}"] = sha256_of_json([row["sha256"] for row in store.rows])
        elif source == "generator":
            model = _generator(path)
            model.action_index(action)
            digests[f"generator {path.name if path else 'shipped'}"] = sha256_of_json(model.facts)
        elif source == "library" and action not in FALLS:
            from ..motion.library.scripted.act import SCRIPTS

            if action not in SCRIPTS:
                raise ValueError(
                    f"action {action!r} is not in the library; expected one of: {', '.join([*SCRIPTS, *FALLS])}; "
                    "or take it from: generator, or from: store with motions that show it"
                )
    return digests


def fit_seconds(motion: Motion, seconds: float | None, *, rng: np.random.Generator) -> Motion:
    """Cut a motion to at most ``seconds``, keeping the start of its action."""
    if seconds is None or motion.seconds <= seconds + 1e-6:
        return motion
    label = ACTIONS[motion.action].label if motion.action in ACTIONS else ""
    core = next((segment for segment in motion.segments if segment.label == label), None)
    latest = motion.seconds - seconds
    low, high = 0.0, latest
    if core is not None:
        # Between cuts in which the action ends with the clip and cuts in which it starts at once.
        high = min(latest, core.start_sec)
        low = min(max(0.0, min(core.end_sec, core.start_sec + seconds) - seconds), high)
    start = round(rng.uniform(low, high) * motion.fps) / motion.fps
    return crop(motion, start, start + seconds)


def _bystander(lead: Motion, people: PeopleOptions, body: Body, number: int, *, rng: np.random.Generator) -> Motion:
    """Another person 1-2 m beside the lead, for as many frames."""
    from ..motion.library.scripted.act import make_action

    action = str(rng.choice(BYSTANDERS))
    betas = draw_betas(people.model_copy(update={"age": (YOUNGEST, 60.0)}), body, rng=rng)
    motion = make_action(action, rng=rng, body=body, betas=betas, fps=lead.fps)
    side = -1.0 if (number + int(rng.integers(2))) % 2 else 1.0
    yaw = float(rng.uniform(-np.pi, np.pi))
    shift = np.array([side * rng.uniform(1.1, 1.8), 0.0, rng.uniform(-0.6, 0.6)])
    motion = move_motion(motion, yaw, shift, body)
    return motion.take(np.minimum(np.arange(len(lead)), len(motion) - 1))  # a shorter one holds its last frame


@lru_cache(maxsize=4)
def _generator(path: Path | None) -> Any:
    from ..generators.checkpoint import load_generator

    return load_generator(path)


@lru_cache(maxsize=64)
def _store_rows(path: Path, action: str) -> tuple[Any, list[int]]:
    from ..motion.store import read_store

    store = read_store(path)
    rows = [index for index, row in enumerate(store.rows) if row["action"] == action]
    if not rows:
        found = ", ".join(sorted({row["action"] for row in store.rows})) or "nothing"
        raise ValueError(f"{path}: no motion of action {action!r}; it holds: {found}")
    return store, rows
