"""The people of a planned clip: their bodies, and motions from the library, the simulator, a generator, a store or a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..actions import ACTIONS, FALLS, PAIRS, caption_for, captions_of
from ..body.model import Body, load_body
from ..body.shapes import betas_from_phenotype
from ..files import sha256_of_file, sha256_of_json
from ..motion.carrying import PROPS
from ..motion.holding import take_up
from ..motion.labels import core_label, with_action
from ..motion.partners import together
from ..motion.resample import crop, fit_seconds, start_of_cut
from ..motion.reshape import above_floor, above_seat, to_shape
from ..placement.place import move_motion
from ..types import Motion, Performance
from .recipe import PeopleOptions, PlannedClip
from .stored import pooled, read_motion_file, store_rows, thinned

BYSTANDERS = ("stand", "walk")
"""Actions of the other people in a room."""
YOUNGEST, OLDEST = 25.0, 90.0
"""Years that a phenotype's age 0 and 1 stand for."""


def cast(
    clip: PlannedClip, people: PeopleOptions, body: Body, *, rng: np.random.Generator, seconds: float | None,
    pool: Path | None = None, fps: float | None = None,
) -> Performance:  # fmt: skip
    """Draw the people of a clip and their motions, in one world frame around the origin.

    Args:
        seconds: Longest performance; longer ones are cut around the action.
        pool: The run's pool of motions (``motion_pool``), for a clip that names one of them.
        fps: Rate of the film: a motion that is brought over to another body and has more frames is thinned out before.
    Raises:
        FallRejected: If a simulated fall is implausible or not the one asked for.
        ValueError: If the action cannot be had from that source, or the clip's prop has no place in the motion.
    """
    if clip.two:
        return _pair_performance(clip, people, body, rng=rng, seconds=seconds)
    # What holds a prop follows every step of the feet.
    lead = _lead(clip, people, body, pool, rng=rng, seconds=seconds, fps=fps if clip.prop is None else None)
    props: list[dict[str, Any]] = []
    if clip.prop is not None:
        lead, prop = take_up(lead, clip.prop, body, rng=rng)
        props.append(prop)
    others = [_bystander(lead, people, body, number, rng=rng) for number in range(clip.others)]
    return _performance(clip, (lead, *others), props, rng=rng)


def _performance(
    clip: PlannedClip, people: tuple[Motion, ...], props: list[dict[str, Any]], *, rng: np.random.Generator
) -> Performance:
    lead = people[0]
    return Performance(
        people=people,
        action=clip.action,
        caption=_caption(clip, lead, rng=rng),
        segments=lead.segments,
        provenance={"motion": {"from": clip.source} | _origin(lead), "props": props},
    )


def _origin(motion: Motion) -> dict[str, Any]:
    """Where a motion comes from."""
    return {
        "name": motion.name, "source": motion.source, "licence": motion.licence, "subject": motion.subject,
        "support": motion.support, "details": motion.provenance,
    }  # fmt: skip


def _pair_performance(
    clip: PlannedClip, people: PeopleOptions, body: Body, *, rng: np.random.Generator, seconds: float | None
) -> Performance:
    """Two people who do something together, cut alike, and bystanders."""
    one, other = PAIR_SOURCES[clip.source](clip, people, body, rng=rng)
    one = with_action(one, clip.action, _label_of(clip, one))
    start = start_of_cut(one, seconds, rng=rng)
    if start is not None:
        assert seconds is not None
        one, other = (crop(motion, start, start + seconds) for motion in (one, other))
    others = [_bystander(one, people, body, number, rng=rng) for number in range(clip.others)]
    performance = _performance(clip, (one, other, *others), [], rng=rng)
    partner = _origin(other) | {"label": core_label(other), "segments": [asdict(segment) for segment in other.segments]}
    return replace(performance, provenance=performance.provenance | {"partner": partner})


def _pair_from_library(
    clip: PlannedClip, people: PeopleOptions, body: Body, *, rng: np.random.Generator
) -> tuple[Motion, Motion]:  # fmt: skip
    from ..motion.library.pairs.act import make_pair

    betas = (draw_betas(people, body, rng=rng), draw_betas(people.model_copy(update={"age": (YOUNGEST, 60.0)}), body, rng=rng))
    return make_pair(clip.action, rng=rng, body=body, betas=betas)


def _pair_from_store(
    clip: PlannedClip, people: PeopleOptions, body: Body, *, rng: np.random.Generator
) -> tuple[Motion, Motion]:  # fmt: skip
    assert clip.path is not None
    store, rows = store_rows(clip.path, clip.action, True)
    one = store[rows[int(rng.integers(len(rows)))]]
    return together(one, store.named(one.provenance["partner"]["name"]), body)


PAIR_SOURCES: dict[str, Callable[..., tuple[Motion, Motion]]] = {"library": _pair_from_library, "store": _pair_from_store}
"""A recipe's ``from`` to the function that gives the motions of two people."""


def _lead(
    clip: PlannedClip, people: PeopleOptions, body: Body, pool: Path | None, *, rng: np.random.Generator,
    seconds: float | None, fps: float | None,
) -> Motion:  # fmt: skip
    """The motion that a clip is named for, on a drawn body, cut."""
    betas = draw_betas(people, body, rng=rng)
    if clip.motion is not None:
        assert pool is not None
        motion = pooled(pool, clip.motion, fps)
    else:
        motion = SOURCES[clip.source](clip, betas, body, rng=rng)
    motion = with_action(motion, clip.action, _label_of(clip, motion))
    if clip.source in OTHER_BODIES or clip.motion is not None:
        if motion.support == "floor":  # cut first: less to reshape; on a seat the whole motion says when it is used
            motion = fit_seconds(motion, seconds, rng=rng)
        motion = above_seat(to_shape(thinned(motion, fps), betas, body), body)
        if clip.motion is not None or clip.source == "generator":
            motion = above_floor(motion, body)
    return fit_seconds(motion, seconds, rng=rng)


def _label_of(clip: PlannedClip, motion: Motion) -> str:
    """Frame label of a clip's action: the recipe's, else the motion's own, else that of ``ACTIONS``."""
    if clip.defined is not None:
        return clip.defined.label
    return core_label(motion) if motion.action == clip.action or clip.action not in ACTIONS else ACTIONS[clip.action].label


def _caption(clip: PlannedClip, motion: Motion, *, rng: np.random.Generator) -> str:
    """One of the recipe's captions, else the motion's own, else one of ``ACTIONS``."""
    if clip.defined is not None and clip.defined.captions:
        return caption_for(clip.defined.captions, rng=rng)
    caption = motion.caption or caption_for(captions_of(clip.action), rng=rng)
    return caption if clip.prop is None else _with_prop(caption, clip.prop)


def _with_prop(caption: str, prop: str) -> str:
    """The caption, with a prop in it: ``A person walks.`` becomes ``A person walks with a stick.``"""
    if prop == "wheelchair" and "a chair" in caption:
        return caption.replace("on a chair", "in a wheelchair").replace("a chair", "a wheelchair")
    return f"{caption.rstrip('.')} {PROPS[prop].words}."


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
    pace = PROPS[clip.prop].pace if clip.prop is not None and clip.action == "walk" else None
    params = {} if pace is None else {"speed": float(rng.uniform(*pace))}
    return make_action(clip.action, rng=rng, body=body, betas=betas, **params)


def _from_physics(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..motion.library.falls.plan import FallRequest
    from ..motion.library.falls.simulate import simulate_fall

    return simulate_fall(FallRequest(kind=clip.action, betas=betas), rng=rng, body=body)


def _from_generator(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    from ..generators.sample import sample

    # One clip a call: its bytes must not depend on which clips it is batched with.
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    (motion,) = sample(_generator(clip.path), [clip.action], generator=noise)
    return motion


def _from_store(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    assert clip.path is not None
    store, rows = store_rows(clip.path, clip.action, False)
    return store[rows[int(rng.integers(len(rows)))]]


def _from_file(clip: PlannedClip, betas: np.ndarray, body: Body, *, rng: np.random.Generator) -> Motion:
    return _file_motion(clip, body)


SOURCES: dict[str, Callable[..., Motion]] = {
    "library": _from_library, "physics": _from_physics, "generator": _from_generator, "store": _from_store,
    "file": _from_file,
}  # fmt: skip
"""A recipe's ``from`` to the function that gives the motion."""
OTHER_BODIES = ("generator", "store", "file")
"""Those whose motions were made for other bodies than the clip's."""


def check_sources(plan: list[PlannedClip], body_path: Path | None = None) -> dict[str, str]:
    """Open what the plan draws motions from, before any work is done.

    Args:
        plan: The clips.
        body_path: The recipe's ``people.body``, to which motion files are retargeted.
    Returns:
        Name of each outside source (a store, a generator, a file) to the digest that stands for its content.
    Raises:
        ValueError: If a store, generator or file is missing, cannot be used, or does not know an action of the plan.
    """
    digests: dict[str, str] = {}

    def note(kind: str, path: Path, digest: str) -> None:
        name, number = f"{kind} {path.name}", 1
        while digests.setdefault(name, digest) != digest:  # another of the same name
            number += 1
            name = f"{kind} {path.name} {number}"

    clips = {(c.source, c.path, c.action, c.support, c.two): c for c in plan}
    for (source, path, action, _, two), clip in sorted(clips.items(), key=lambda item: str(item[0])):
        if source == "store":
            assert path is not None
            store, _ = store_rows(path, action, two)
            note("store", path, sha256_of_json([row["sha256"] for row in store.rows]))
        elif source == "file":
            assert path is not None
            _file_motion(clip, load_body(body_path))
            note("file", path, sha256_of_file(path))
        elif source == "generator":
            model = _generator(path)
            model.action_index(action)
            note("generator", path or Path("shipped"), sha256_of_json(model.facts))
        elif source == "library" and action not in FALLS and not two:
            from ..motion.library.scripted.act import SCRIPTS

            if action not in SCRIPTS:
                raise ValueError(
                    f"action {action!r} is not in the library; expected one of: {', '.join([*SCRIPTS, *FALLS, *PAIRS])}; "
                    "or take it from: generator, or from: store with motions that show it"
                )
    return digests


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


def _file_motion(clip: PlannedClip, body: Body) -> Motion:
    assert clip.path is not None
    return read_motion_file(clip.path, body, clip.action, clip.defined.label if clip.defined else "", clip.support)
