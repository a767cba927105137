"""Shared by all actions: parameters of the person (age, side, stoop), standing posture, hanging arms and idle motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from . import ik
from .curves import noise
from .gait import Foot, Footprint
from .goals import ArmAngles
from .pose import PosePlan, Rest
from .rig import SIDES, SIGN, Rig

FLESH = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19)
"""Parts kept out of the floor: all but feet and hands, which have goals of their own."""


def oldness(age: float) -> float:
    """0 up to the age of 50, 1 from 90."""
    return float(np.clip((age - 50.0) / 40.0, 0.0, 1.0))


M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """Parameters of all actions; each action adds its own."""

    seconds: float
    """Length of the clip."""
    age: float
    """Years; the old stoop, take shorter and wider steps, and are slower."""
    side: str
    """``left`` or ``right``: the hand, turn or foot that leads. Motions for the right are mirrored."""
    stoop: float
    """Bend of the back, chest relative to pelvis, radians."""
    restless: float
    """Amplitude of idle motion, 1 = average."""

    @property
    def old(self) -> float:
        """0 up to the age of 50, 1 at 90."""
        return oldness(self.age)


@dataclass(slots=True, kw_only=True)
class Take:
    """A performed action: the plan, its labels and its support."""

    plan: PosePlan
    segments: list[tuple[str, float]]
    """(frame label, second it ends), in time order; the last one ends the clip."""
    support: str = "floor"
    support_height: float = 0.0
    support_center: tuple[float, float] | None = None
    support_yaw: float = 0.0
    notes: dict[str, float | str] = field(default_factory=dict)
    """For provenance."""


def draw_manner(rng: np.random.Generator, low: float, high: float) -> dict[str, Any]:
    """Draw the shared parameters; half of the people are old. ``low`` and ``high`` limit the clip's length, seconds."""
    age = rng.uniform(20.0, 62.0) if rng.random() < 0.5 else rng.uniform(62.0, 95.0)
    old = oldness(age)
    return {
        "seconds": float(np.round(low + (high - low) * np.clip(rng.beta(1.6, 1.8) * 0.8 + 0.2 * old, 0, 1), 2)),
        "age": float(np.round(age)),
        "side": SIDES[int(rng.random() < 0.5)],
        "stoop": float(0.05 + 0.42 * old * rng.beta(2.0, 2.0) + 0.06 * rng.random()),
        "restless": float(rng.uniform(0.7, 1.4)),
    }


def pick(rng: np.random.Generator, **chances: float) -> str:
    """Draw a name; the chances are normalised."""
    names = list(chances)
    weights = np.array(list(chances.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def standing_height(rig: Rig, manner: Manner) -> float:
    """Height of the pelvis of a person standing at ease, metres; the old bend their knees a little."""
    return rig.standing - rig.leg * (0.004 + 0.018 * manner.old)


def posture(t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator) -> PosePlan:
    """Standing at the origin facing +z with idle motion and hanging arms; legs have no goals yet."""
    count, old, lively = len(t), manner.old, manner.restless
    wander = noise(t, rng=rng, amplitude=[0.010, 0.002, 0.012], low=0.08, high=0.6) * lively * rig.scale
    pelvis = np.array([0.0, standing_height(rig, manner), 0.0]) + wander
    tilt = noise(t, rng=rng, amplitude=[0.012, 0.010, 0.02], low=0.1, high=0.7) * lively
    breath = 0.012 * np.sin(2 * np.pi * (rng.uniform(0.2, 0.33) * t + rng.random()))
    bend = noise(t, rng=rng, amplitude=[0.02, 0.015, 0.03], low=0.1, high=0.8) * lively
    bend[:, 0] += manner.stoop - breath
    head = noise(t, rng=rng, amplitude=[0.05, 0.025, 0.12], low=0.1, high=0.7) * lively
    head[:, 0] += 0.02 - 0.06 * old - 0.72 * manner.stoop
    plan = PosePlan(
        t=t, pelvis=pelvis, turn=ik.lean(0.02 + 0.10 * old + tilt[:, 0], tilt[:, 1], tilt[:, 2]), spine=bend, head=head
    )
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, relaxed(t, manner, rng=rng))]
    plan.rests.append(Rest(parts=FLESH, weight=np.ones(count), sink=0.005, guard=True))
    return plan


def relaxed(t: np.ndarray, manner: Manner, *, rng: np.random.Generator, flexion: float | np.ndarray = 0.0) -> ArmAngles:
    """A hanging arm; the old hold it a little forward with a bent elbow."""
    old = manner.old
    wander = noise(t, rng=rng, amplitude=[0.03, 0.02, 0.05, 0.05, 0.08], low=0.1, high=0.9) * manner.restless
    base = [
        0.04 + 0.55 * manner.stoop + 0.10 * old, rng.uniform(0.13, 0.24), rng.uniform(-0.05, 0.35),
        rng.uniform(0.15, 0.35) + 0.35 * old * rng.random(), rng.uniform(0.1, 0.3),
    ]  # fmt: skip
    flexion_, abduction, twist, elbow, wrist = (wander + np.array(base)).T
    return ArmAngles(
        flexion=flexion_ + flexion,
        abduction=np.maximum(abduction, 0.12),
        twist=twist,
        elbow=np.maximum(elbow, 0.06),
        wrist=wrist,
    )


def stance_prints(rig: Rig, manner: Manner, *, rng: np.random.Generator, back: float = 0.03) -> dict[str, Footprint]:
    """Footprints of a standing person: about hip wide, toes a little outwards, one slightly ahead."""
    half = 0.5 * rig.hip_width + rng.uniform(-0.005, 0.045) + 0.025 * manner.old
    shift = rng.uniform(-0.04, 0.04)
    return {
        side: Footprint(
            on=-9.0, off=99.0, x=SIGN[side] * half, z=-back + SIGN[side] * shift, yaw=SIGN[side] * rng.uniform(0.03, 0.24)
        )
        for side in SIDES
    }


def stand_on(plan: PosePlan, rig: Rig, prints: dict[str, Footprint]) -> dict[str, Foot]:
    """Keep both feet on their footprints for the whole clip."""
    feet = {}
    for side, at in prints.items():
        count = len(plan.t)
        feet[side] = Foot(
            ground=np.tile([at.x, 0.0, at.z], (count, 1)), yaw=np.full(count, at.yaw), pitch=np.zeros(count),
            contact=np.ones(count),
        )  # fmt: skip
    use_feet(plan, rig, feet)
    return feet


def use_feet(plan: PosePlan, rig: Rig, feet: dict[str, Foot]) -> None:
    """Make the legs follow the feet."""
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, feet[side].goal(rig, side))]
        plan.reach[side] = feet[side].contact


def stage_ends(shares: list[float], seconds: float, *, rng: np.random.Generator) -> Float[np.ndarray, "n"]:
    """Seconds at which stages end that take about these shares of a clip; at least 7 % are left after the last."""
    parts = np.array(shares) * rng.uniform(0.9, 1.1, len(shares))
    return np.cumsum(parts) * seconds * min(1.0, 0.93 / parts.sum())


def with_params(drawn: M, name: str, seconds: float | None, params: Mapping[str, Any]) -> M:
    """A drawn manner with what the caller chose in place of what was drawn.

    Args:
        drawn: Manner of one or two people, with a ``side``.
        name: Of the action, for messages.
        seconds: Length, or None.
        params: Fields and their values.
    Raises:
        ValueError: For a field that the manner lacks, or another side than left and right.
    """
    chosen: Any = drawn
    values = dict(params) if seconds is None else {**params, "seconds": float(seconds)}
    known = [field.name for field in dataclasses.fields(chosen)]
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"{name}: unknown parameter {unknown[0]!r}; expected one of: {', '.join(known)}")
    chosen = dataclasses.replace(chosen, **values)
    if chosen.side not in ("left", "right"):
        raise ValueError(f"{name}: side is 'left' or 'right', not {chosen.side!r}")
    return chosen
