"""What a fall is planned to be: its stages, and the causes that upset the balance.

A fall is a short list of stages. Each stage pulls the muscles towards a posture with some tone per muscle group; it ends when
its time is over or a part of the body strikes the floor. After the last impact tone fades, and gravity does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....geometry import heading_vector
from ....types import JOINT
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
"""Regions of the body whose first contact with the floor is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of muscle activity."""

    posture: Posture
    tone: dict[str, float]
    """Share of full strength by muscle group."""
    blend: float
    """Seconds in which the posture is taken up."""
    until: tuple[str, ...] = ()
    """Regions (keys of ``PARTS``) whose touch of the floor ends the stage."""
    hold: float = 10.0
    """Seconds after which the stage ends anyway."""
    lying: dict[str, Posture] = field(default_factory=dict)
    """Postures by what faces up when the stage begins (``back``, ``side``, ``front``), in place of ``posture``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One fall as drawn by chance."""

    kind: str
    cause: str
    direction: float
    """Radians about +y from the faller's facing: 0 forward, +90 degrees to the left."""
    heading: float
    """The faller's facing, radians about +y from +z, world."""
    strength: float
    """How hard balance is upset: the change of speed a push gives the whole body, m/s."""
    stages: tuple[Stage, ...]
    rest: float
    """Seconds to lie still at the end."""
    side: str = "left"
    """The side fallen on or turned to."""
    caught: str = "left"
    """The foot that is caught or slips first."""
    limit: float = 7.0
    """Seconds of simulation after which a body that still moves is given up."""
    drawn: dict[str, float] = field(default_factory=dict)


def world_direction(plan: Plan) -> np.ndarray:
    """Unit vector on the floor the body is upset towards."""
    return heading_vector(plan.heading + plan.direction)


def _ramp(time: float, seconds: float) -> float:
    """A smooth push: half a sine, 0 outside (0, seconds)."""
    return float(np.sin(np.pi * time / seconds)) if 0.0 < time < seconds else 0.0


def _shove(human: Humanoid, data: Any, plan: Plan, time: float, parts: dict[str, float], dv: float, seconds: float) -> None:
    """Accelerate the body by ``dv`` (m/s) over ``seconds`` with forces on some parts (share by joint name)."""
    force = human.mass * dv * np.pi / (2.0 * seconds) * _ramp(time, seconds) * world_direction(plan)
    for name, share in parts.items():
        data.xfrc_applied[human.body_id[JOINT[name]], :3] += share * force


def _effort(plan: Plan) -> float:
    """Change of speed that upsets the balance, with what it takes to stop a body that moves the other way, m/s."""
    return plan.strength + plan.drawn.get("against", 0.0)


def _off_the_side(plan: Plan) -> bool:
    """Whether the body leaves a chair sideways: hip first, or it would dive on its head."""
    return plan.kind == "fall_from_chair" and bool(abs(np.cos(plan.direction)) < 0.65)


def push(human: Humanoid, data: Any, plan: Plan, time: float) -> None:
    """A shove at the height of the shoulder blades."""
    high = plan.drawn.get("push_height", 0.45)
    parts = {"spine3": high, "spine2": 0.7 - 0.5 * high, "pelvis": 0.3 - 0.5 * high}
    if _off_the_side(plan):
        parts = {"spine3": 0.15, "spine2": 0.25, "pelvis": 0.6}
    _shove(human, data, plan, time, parts, _effort(plan), 0.28)


def trip(human: Humanoid, data: Any, plan: Plan, time: float) -> None:
    """The swinging foot is caught by an obstacle; the body's momentum carries on, with a lurch."""
    foot = human.body_id[JOINT[f"{plan.caught}_ankle"]]
    if time < 0.3:
        data.xfrc_applied[foot, :3] += np.clip(-140.0 * data.cvel[foot][3:] * [1.0, 0.0, 1.0], -260.0, 260.0)
    speed = data.qvel[:3] @ world_direction(plan)
    missing = max(_effort(plan) - 0.6 * speed, 0.25)
    _shove(human, data, plan, time - 0.04, {"spine3": 0.6, "spine2": 0.4}, missing, 0.35)


def slip(human: Humanoid, data: Any, plan: Plan, time: float) -> None:
    """The feet shoot away from under the body, against the direction of the fall; on a chair, the seat slides off it."""
    if plan.kind == "fall_from_chair":
        _shove(human, data, plan, time, {"pelvis": 0.65, "spine2": 0.35}, _effort(plan), 0.5)
        return
    for side in ("left", "right"):
        share = 0.65 if side == plan.caught else 0.35
        force = share * 2.4 * human.mass * plan.strength * _ramp(time, 0.3)
        data.xfrc_applied[human.body_id[JOINT[f"{side}_ankle"]], :3] -= force * world_direction(plan)
    _shove(human, data, plan, time, {"spine3": 0.7, "spine2": 0.3}, 0.25 * plan.strength + _effort(plan) - plan.strength, 0.35)


def give_way(human: Humanoid, data: Any, plan: Plan, time: float) -> None:
    """The legs lose their strength (their tone is low from the first stage on); the trunk leans where the weight lies."""
    share = 0.9 if plan.kind == "fall_forward_knees" else 0.7
    pelvis = 0.6 if _off_the_side(plan) else 0.2
    _shove(
        human,
        data,
        plan,
        time,
        {"spine3": 0.7 * (1 - pelvis), "spine2": 0.3 * (1 - pelvis), "pelvis": pelvis},
        share * _effort(plan),
        0.5,
    )


CAUSES: dict[str, Callable[[Humanoid, Any, Plan, float], None]] = {
    "trip": trip, "push": push, "slip": slip, "give_way": give_way,
}  # fmt: skip
"""What upsets the balance: adds forces (``data.xfrc_applied``) at a time since release."""

SLIPPERY_SECONDS = 0.6
"""How long a slip leaves the feet without grip."""


def slick_parts(plan: Plan) -> tuple[tuple[int, ...], float, float]:
    """Parts that lose grip, for how many seconds, and the share of grip left to them."""
    seated = (*PARTS["thighs"], JOINT["pelvis"])
    if plan.kind == "fall_from_chair" and plan.cause == "slip":
        return (*FOOT_PARTS, *seated), 2.0 * SLIPPERY_SECONDS, 0.1
    if _off_the_side(plan):
        return seated, 2.0 * SLIPPERY_SECONDS, 0.3
    return FOOT_PARTS, SLIPPERY_SECONDS, 0.08 if plan.cause == "slip" else 1.0
