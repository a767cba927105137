"""The plan of a fall: its stages, and the forces that make the body lose its balance.

A fall is a short list of stages. In each stage the muscles pull towards a posture with a tone per muscle group, until its time
is over or a region of the body touches the floor. After the last impact the tone decays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from ....geometry import heading_vector
from ....types import JOINT, Motion
from .anatomy import FOOT_PARTS, HAND_PARTS, TRUNK_PARTS
from .humanoid import Humanoid
from .poses import Posture

PARTS: dict[str, tuple[int, ...]] = {
    "feet": FOOT_PARTS,
    "knees": tuple(JOINT[f"{side}_knee"] for side in ("left", "right")),
    "thighs": tuple(JOINT[f"{side}_hip"] for side in ("left", "right")),
    "hands": HAND_PARTS,
    "arms": tuple(JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "shoulder")),
    "pelvis": (JOINT["pelvis"], JOINT["spine1"]),
    "chest": tuple(part for part in TRUNK_PARTS if part not in (JOINT["pelvis"], JOINT["spine1"])),
    "head": (JOINT["neck"], JOINT["head"]),
}
"""Regions of the body whose first contact with the floor is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of muscle activity."""

    posture: Posture
    tone: dict[str, float]
    """Share of full strength by muscle group."""
    blend: float
    """Seconds of the transition to the posture."""
    until: tuple[str, ...] = ()
    """Regions (keys of ``PARTS``) whose contact with the floor ends the stage."""
    hold: float = 10.0
    """Seconds after which the stage ends at the latest."""
    lying: dict[str, Posture] = field(default_factory=dict)
    """Postures by the side that faces up when the stage begins (``back``, ``side``, ``front``); they replace ``posture``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallRequest:
    """A fall to be simulated; what is None is drawn."""

    kind: str
    """One of ``actions.FALLS``."""
    betas: Float[np.ndarray, "10"] | None = None
    """Body shape; the start's if None, or drawn if there is no start."""
    start: Motion | None = None
    """The motion that the fall interrupts: its last 0.3-2 s come first, its last frames give posture and velocity. If None, one
    is made: standing or walking, sitting for ``fall_from_chair``."""
    cause: str | None = None
    """A key of ``CAUSES``."""
    direction: float | str | None = None
    """A key of ``simulate.DIRECTIONS``, or degrees from the heading, positive to the left."""
    fps: float = 20
    """Frames a second of the result."""
    seconds: float | None = None
    """Length of the result; if None, it ends after lying still for 1-4 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallPlan:
    """One fall with all its random choices."""

    kind: str
    cause: str
    direction: float
    """Radians about +y from the person's heading: 0 is forward, +pi/2 to the left."""
    heading: float
    """The person's heading, radians about +y from +z, world."""
    strength: float
    """Strength of the perturbation as the change of speed of the whole body, m/s."""
    stages: tuple[Stage, ...]
    rest: float
    """Seconds of lying still at the end."""
    side: str = "left"
    """Side fallen on or turned to."""
    foot: str = "left"
    """Foot that trips or slips first."""
    limit: float = 7.0
    """Seconds of simulation after which a body that still moves is rejected."""
    push_height: float = 0.45
    """Height of a push on the trunk: share of the force on spine3."""
    opposing_speed: float = 0.0
    """Speed of the body against the direction of the fall at the start, m/s; added to ``strength``."""


def world_direction(plan: FallPlan) -> np.ndarray:
    """Horizontal unit vector of the direction of the fall."""
    return heading_vector(plan.heading + plan.direction)


def _pulse(time: float, seconds: float) -> float:
    """Half a sine, 0 outside (0, seconds)."""
    return float(np.sin(np.pi * time / seconds)) if 0.0 < time < seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Impulse:
    """A half-sine force pulse in the direction of the fall."""

    shares: dict[str, float]
    """Share of the force by joint name."""
    speed: float
    """Change of speed of the whole body, m/s."""
    seconds: float


def _apply(impulse: Impulse, human: Humanoid, data: Any, plan: FallPlan, time: float) -> None:
    seconds = impulse.seconds
    force = human.mass * impulse.speed * np.pi / (2.0 * seconds) * _pulse(time, seconds) * world_direction(plan)
    for name, share in impulse.shares.items():
        data.xfrc_applied[human.body_id[JOINT[name]], :3] += share * force


def _effort(plan: FallPlan) -> float:
    """Change of speed needed for the fall, including that to stop a body that moves the other way, m/s."""
    return plan.strength + plan.opposing_speed


def _off_the_side(plan: FallPlan) -> bool:
    """Whether the body falls off a chair sideways; it is then pushed at the hip, otherwise it would land on the head."""
    return plan.kind == "fall_from_chair" and bool(abs(np.cos(plan.direction)) < 0.65)


def push(human: Humanoid, data: Any, plan: FallPlan, time: float) -> None:
    """A push at the height of the shoulder blades."""
    high = plan.push_height
    parts = {"spine3": high, "spine2": 0.7 - 0.5 * high, "pelvis": 0.3 - 0.5 * high}
    if _off_the_side(plan):
        parts = {"spine3": 0.15, "spine2": 0.25, "pelvis": 0.6}
    _apply(Impulse(shares=parts, speed=_effort(plan), seconds=0.28), human, data, plan, time)


def trip(human: Humanoid, data: Any, plan: FallPlan, time: float) -> None:
    """The swinging foot is stopped by an obstacle; the trunk moves on."""
    foot = human.body_id[JOINT[f"{plan.foot}_ankle"]]
    if time < 0.3:
        data.xfrc_applied[foot, :3] += np.clip(-140.0 * data.cvel[foot][3:] * [1.0, 0.0, 1.0], -260.0, 260.0)
    speed = data.qvel[:3] @ world_direction(plan)
    missing = max(_effort(plan) - 0.6 * speed, 0.25)
    _apply(Impulse(shares={"spine3": 0.6, "spine2": 0.4}, speed=missing, seconds=0.35), human, data, plan, time - 0.04)


def slip(human: Humanoid, data: Any, plan: FallPlan, time: float) -> None:
    """The feet slide from under the body, against the direction of the fall; on a chair, the pelvis slides off the seat."""
    if plan.kind == "fall_from_chair":
        slide = Impulse(shares={"pelvis": 0.65, "spine2": 0.35}, speed=_effort(plan), seconds=0.5)
        _apply(slide, human, data, plan, time)
        return
    for side in ("left", "right"):
        share = 0.65 if side == plan.foot else 0.35
        force = share * 2.4 * human.mass * plan.strength * _pulse(time, 0.3)
        data.xfrc_applied[human.body_id[JOINT[f"{side}_ankle"]], :3] -= force * world_direction(plan)
    speed = 0.25 * plan.strength + _effort(plan) - plan.strength
    _apply(Impulse(shares={"spine3": 0.7, "spine2": 0.3}, speed=speed, seconds=0.35), human, data, plan, time)


def give_way(human: Humanoid, data: Any, plan: FallPlan, time: float) -> None:
    """The legs give way (their tone is low from the first stage on), with a weak push of the trunk."""
    share = 0.9 if plan.kind == "fall_forward_knees" else 0.7
    pelvis = 0.6 if _off_the_side(plan) else 0.2
    shares = {"spine3": 0.7 * (1 - pelvis), "spine2": 0.3 * (1 - pelvis), "pelvis": pelvis}
    _apply(Impulse(shares=shares, speed=share * _effort(plan), seconds=0.5), human, data, plan, time)


CAUSES: dict[str, Callable[[Humanoid, Any, FallPlan, float], None]] = {
    "trip": trip, "push": push, "slip": slip, "give_way": give_way,
}  # fmt: skip
"""Causes of a fall: each adds forces to ``data.xfrc_applied`` at a time since release, seconds."""

SLIPPERY_SECONDS = 0.6
"""Duration of reduced friction under the feet in a slip, seconds."""


def slippery_parts(plan: FallPlan) -> tuple[tuple[int, ...], float, float]:
    """Parts with reduced friction, its duration in seconds, and the factor on their friction."""
    seated = (*PARTS["thighs"], JOINT["pelvis"])
    if plan.kind == "fall_from_chair" and plan.cause == "slip":
        return (*FOOT_PARTS, *seated), 2.0 * SLIPPERY_SECONDS, 0.1
    if _off_the_side(plan):
        return seated, 2.0 * SLIPPERY_SECONDS, 0.3
    return FOOT_PARTS, SLIPPERY_SECONDS, 0.08 if plan.cause == "slip" else 1.0
