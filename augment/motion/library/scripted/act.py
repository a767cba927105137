"""Scripted daily actions: ``make_action(name, ...)`` draws the parameters of an action and performs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ....actions import caption_for
from ....types import SMPL_JOINTS, Motion, Segment
from . import ik
from .bed import act_lie_down, draw_bed
from .crawl import act_crawl, draw_crawl
from .gestures import act_reach, act_wave, draw_reach, draw_wave
from .jump import act_jump, draw_jump
from .kneel import act_kneel, draw_kneel
from .lying import act_lie, draw_lie
from .manner import Manner, Take, with_params
from .pick_up import act_pick_up, draw_pick_up
from .pose import Solved, solve
from .rig import Rig, make_rig
from .rise import act_get_up, draw_get_up
from .seated import act_sit, act_sit_down, act_stand_up, draw_seat
from .walk import act_stand, act_walk, draw_stand, draw_walk
from .words import wordings

LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Script:
    """One action: a function that draws its parameters and one that performs it."""

    draw: Callable[[np.random.Generator, Rig], Manner]
    act: Callable[..., Take]
    """(t, rig, manner, *, rng) -> Take, for ``side`` left."""


SCRIPTS: dict[str, Script] = {
    "walk": Script(draw_walk, act_walk),
    "stand": Script(draw_stand, act_stand),
    "sit_down": Script(draw_seat, act_sit_down),
    "lie_down": Script(draw_bed, act_lie_down),
    "get_up": Script(draw_get_up, act_get_up),
    "lie": Script(draw_lie, act_lie),
    "sit": Script(draw_seat, act_sit),
    "stand_up": Script(draw_seat, act_stand_up),
    "pick_up": Script(draw_pick_up, act_pick_up),
    "wave": Script(draw_wave, act_wave),
    "reach": Script(draw_reach, act_reach),
    "jump": Script(draw_jump, act_jump),
    "kneel": Script(draw_kneel, act_kneel),
    "crawl": Script(draw_crawl, act_crawl),
}
"""Every scripted action. Extending = a manner, a draw and an act function, and one line here."""

_MIRROR = [SMPL_JOINTS.index(n.replace("left", "R").replace("right", "left").replace("R", "right")) for n in SMPL_JOINTS]
_FLIP = np.array([1.0, -1.0, -1.0])


def make_action(
    name: str, *, rng: np.random.Generator, body: Any, betas: Float[np.ndarray, "10"] | None = None, fps: float = 20,
    seconds: float | None = None, **params: Any,
) -> Motion:  # fmt: skip
    """Make one daily action.

    Args:
        name: A key of ``SCRIPTS``.
        rng: Source of all parameters that are not given, and of idle motion.
        body: The body (``augment.body.model.Body``) whose skin touches its supports.
        betas: Shape; zeros by default.
        fps: Frames a second.
        seconds: Length; drawn by default.
        params: Any field of the action's manner (``SCRIPTS[name].draw(rng, rig)`` shows them) to set instead of draw.
    Returns:
        Starts near the origin facing +z, floor at y = 0; ``provenance["params"]`` holds what was drawn.
    Raises:
        ValueError: For an unknown action or parameter; the message lists the valid ones.
    """
    if name not in SCRIPTS:
        raise ValueError(f"unknown scripted action {name!r}; expected one of: {', '.join(SCRIPTS)}")
    rig = make_rig(body, np.zeros(10) if betas is None else betas)
    manner = with_params(SCRIPTS[name].draw(rng, rig), name, seconds, params)
    t = np.arange(max(8, round(manner.seconds * fps))) / fps
    take = SCRIPTS[name].act(t, rig, manner, rng=rng)
    caption = caption_for(wordings(name, manner), rng=rng, side=manner.side)
    provenance = {"params": dataclasses.asdict(manner), **({"notes": take.notes} if take.notes else {})}
    motion = dataclasses.replace(to_motion(take, rig, fps), action=name, caption=caption, provenance=provenance)
    return mirrored(motion, rig) if manner.side == "right" else motion


def to_motion(take: Take, rig: Rig, fps: float, solved: Solved | None = None) -> Motion:
    """A performed action as a motion, still without name, caption and parameters.

    Args:
        take: The plan with its labels.
        rig: The body it was planned for.
        fps: Frames a second.
        solved: The plan solved, if it is already.
    """
    solved = solved or solve(take.plan, rig)
    turns = ik.to_rotvec(solved.rotations)
    end = len(turns) / fps
    segments, start = [], 0.0
    for index, (label, stop) in enumerate(take.segments):
        stop = end if index + 1 == len(take.segments) else round(min(stop, end) * fps) / fps
        if stop > start:
            segments.append(Segment(label=label, start_sec=start, end_sec=stop))
            start = stop
    return Motion(
        global_orient=turns[:, 0], body_pose=turns[:, 1:], transl=solved.positions[:, 0] - rig.rest[0], betas=rig.betas,
        fps=float(fps), segments=tuple(segments), source="understudy scripted", licence=LICENCE,
        support=take.support, support_height=float(take.support_height), support_center=take.support_center,
        support_yaw=float(take.support_yaw),
    )  # fmt: skip


def mirrored(motion: Motion, rig: Rig) -> Motion:
    """Mirror a motion in x = 0, on a body that is symmetric."""
    turns = np.concatenate([motion.global_orient[:, None], motion.body_pose], axis=1)[:, _MIRROR] * _FLIP
    pelvis = (motion.transl + rig.rest[0]) * np.array([-1.0, 1.0, 1.0])
    center = motion.support_center
    return dataclasses.replace(
        motion, global_orient=turns[:, 0], body_pose=turns[:, 1:], transl=pelvis - rig.rest[0],
        support_center=None if center is None else (-center[0], center[1]), support_yaw=-motion.support_yaw,
    )  # fmt: skip
