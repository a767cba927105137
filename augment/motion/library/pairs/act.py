"""Actions of two people: ``make_pair(name, ...)`` draws the parameters of an action and performs it with both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ....actions import ACTIONS, caption_for
from ....body.model import Body, pose_body
from ....types import Motion
from ...labels import own_label
from ...partners import name_pair
from ...plausibility import overlap
from ...posture import turn_and_shift
from ..falls.simulate import FallRejected
from ..scripted.act import mirrored, to_motion
from ..scripted.manner import with_params
from ..scripted.rig import Rig, make_rig
from .catch import act_catch_faller, draw_catch_faller
from .duo import Duo, PairManner
from .help_up import act_help_up_from_chair, act_help_up_from_floor, draw_help_up_from_chair, draw_help_up_from_floor
from .meet import act_hand_over, act_shake_hands, draw_hand_over, draw_shake_hands
from .push import act_push, draw_push
from .walk_together import act_walk_supported, draw_walk_supported
from .words import wordings

OVERLAP, OVERLAP_SHARE = 0.03, 0.05
"""Bodies may be deeper in each other than so many metres in this share of the frames."""
JUDGED = 3
"""One frame of so many is judged."""


class PairRejected(FallRejected):
    """Two people whose bodies overlap; handled as a rejected fall is."""


@dataclass(frozen=True, slots=True)
class PairScript:
    """One action: a function that draws its parameters and one that performs it."""

    draw: Callable[[np.random.Generator, tuple[Rig, Rig]], PairManner]
    act: Callable[..., Duo]
    """(t, rigs, manner, *, rng) -> both people, for ``side`` left."""


PAIR_SCRIPTS: dict[str, PairScript] = {
    "hand_over": PairScript(draw_hand_over, act_hand_over),
    "shake_hands": PairScript(draw_shake_hands, act_shake_hands),
    "walk_supported": PairScript(draw_walk_supported, act_walk_supported),
    "help_up_from_chair": PairScript(draw_help_up_from_chair, act_help_up_from_chair),
    "help_up_from_floor": PairScript(draw_help_up_from_floor, act_help_up_from_floor),
    "catch_faller": PairScript(draw_catch_faller, act_catch_faller),
    "push": PairScript(draw_push, act_push),
}
"""Every action of two people. Extending = a manner, a draw and an act function, a line here, in ``words``, in ``actions``."""


def make_pair(
    name: str, *, rng: np.random.Generator, body: Body,
    betas: tuple[Float[np.ndarray, "10"], Float[np.ndarray, "10"]] | None = None, fps: float = 20,
    seconds: float | None = None, **params: Any,
) -> tuple[Motion, Motion]:  # fmt: skip
    """Make one action of two people.

    Args:
        name: A key of ``PAIR_SCRIPTS``.
        rng: Source of all parameters that are not given, and of idle motion.
        body: The body (``augment.body.model.Body``) of both.
        betas: Their shapes; zeros by default.
        fps: Frames a second.
        seconds: Length; drawn by default.
        params: Any field of the action's manner to set instead of draw.
    Returns:
        Two motions of the same length in one frame, floor at y = 0; the first one, whom the action's label is about, starts
        near the origin. ``provenance["partner"]`` says where the other one is (``motion.partners``).
    Raises:
        ValueError: For an unknown action or parameter; the message lists the valid ones.
        PairRejected: If the bodies overlap; another draw may succeed.
        FallRejected: If a simulated fall is implausible.
    """
    if name not in PAIR_SCRIPTS:
        raise ValueError(f"unknown action of two people {name!r}; expected one of: {', '.join(PAIR_SCRIPTS)}")
    shapes = betas or (np.zeros(10), np.zeros(10))
    rigs = (make_rig(body, shapes[0]), make_rig(body, shapes[1]))
    manner = with_params(PAIR_SCRIPTS[name].draw(rng, rigs), name, seconds, params)
    t = np.arange(max(8, round(manner.seconds * fps))) / fps
    duo = PAIR_SCRIPTS[name].act(t, rigs, manner, rng=rng)
    one, other = _as_motions(name, duo, manner, fps, rng=rng)
    problem = _problem(one, other, body)
    if problem is not None:
        raise PairRejected(problem)
    return name_pair(one, other, name, body)


def _as_motions(name: str, duo: Duo, manner: PairManner, fps: float, *, rng: np.random.Generator) -> tuple[Motion, Motion]:
    """Both in the common frame, mirrored for ``right``, with the same caption."""
    action = ACTIONS[name]
    caption = caption_for(wordings(name, manner), rng=rng, side=manner.side)
    provenance = {"params": dataclasses.asdict(manner), "touch_sec": [round(float(second), 3) for second in duo.touch]}
    motions = []
    for number, player in enumerate(duo.players):
        rig, place = player.rig, player.place
        motion = to_motion(player.take, rig, fps, player.settle())
        motion = turn_and_shift(motion, place.yaw, np.array([place.x, 0.0, place.z]), rig.rest[0])
        motion = mirrored(motion, rig) if manner.side == "right" else motion
        core = action.label if number == 0 else player.take.segments[-1][0]
        label = own_label(name, core)
        motions.append(dataclasses.replace(motion, action=name, caption=caption, label=label, provenance=dict(provenance)))
    return motions[0], motions[1]


def _problem(one: Motion, other: Motion, body: Body) -> str | None:
    """Why two motions are rejected, or None: the bodies are in each other for too long."""
    rows = np.arange(0, len(one), JUDGED)
    skins = [pose_body(body, motion.take(rows))[0].astype(np.float64) for motion in (one, other)]
    deep = np.maximum(overlap(skins[0], skins[1], body.faces), overlap(skins[1], skins[0], body.faces))
    return "the bodies overlap" if (deep > OVERLAP).mean() > OVERLAP_SHARE else None
