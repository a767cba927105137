"""What all actions share: who moves (age, side, stoop), how a person stands and carries the arms, and restlessness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from . import ik
from .curves import keyed, noise
from .gait import Foot, Footprint, ankle_of
from .goals import ArmAngles, Planted
from .pose import Plan, Rest
from .rig import SIDES, SIGN, Rig

FLESH = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19)
"""Parts that the guard keeps out of the floor: all but feet and hands, which are placed."""


def oldness(age: float) -> float:
    """0 up to the age of 50, 1 from 90."""
    return float(np.clip((age - 50.0) / 40.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """Parameters of every action; each action adds its own."""

    seconds: float
    """Length of the clip."""
    age: float
    """Years: from about 60 on, people stoop, step shorter and wider, and take longer."""
    side: str
    """``left`` or ``right``: the hand, the turn or the foot that leads. The right is the mirror image of the left."""
    stoop: float
    """Roundness of the back, radians of chest against pelvis."""
    restless: float
    """Size of the wander laid over everything, 1 = common."""

    @property
    def old(self) -> float:
        """0 up to the age of 50, 1 at 90."""
        return oldness(self.age)


@dataclass(slots=True, kw_only=True)
class Take:
    """An action acted out: the plan and what it is worth as a label."""

    plan: Plan
    segments: list[tuple[str, float]]
    """(frame label, second it ends), in time order; the last one ends the clip."""
    support: str = "floor"
    support_height: float = 0.0
    support_center: tuple[float, float] | None = None
    support_yaw: float = 0.0
    caption: str = ""
    """Overrides the vocabulary's captions where the action has a variation they do not tell."""
    notes: dict[str, float | str] = field(default_factory=dict)
    """For provenance."""


def draw_manner(rng: np.random.Generator, low: float, high: float) -> dict[str, Any]:
    """Who moves: half of them old. ``low`` and ``high`` bound the clip's length in seconds; the old take more of it."""
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
    """Draw a name; chances need not sum to one."""
    names = list(chances)
    weights = np.array(list(chances.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def standing_height(rig: Rig, manner: Manner) -> float:
    """Pelvis over the floor of someone who stands at ease; the old keep their knees a little bent."""
    return rig.standing - rig.leg * (0.004 + 0.018 * manner.old)


def posture(t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator) -> Plan:
    """Standing at the origin facing +z, restless; arms hang, legs wait for their goals."""
    count, old, lively = len(t), manner.old, manner.restless
    wander = noise(t, rng=rng, amplitude=[0.010, 0.002, 0.012], low=0.08, high=0.6) * lively * rig.scale
    pelvis = np.array([0.0, standing_height(rig, manner), 0.0]) + wander
    tilt = noise(t, rng=rng, amplitude=[0.012, 0.010, 0.02], low=0.1, high=0.7) * lively
    breath = 0.012 * np.sin(2 * np.pi * (rng.uniform(0.2, 0.33) * t + rng.random()))
    bend = noise(t, rng=rng, amplitude=[0.02, 0.015, 0.03], low=0.1, high=0.8) * lively
    bend[:, 0] += manner.stoop - breath
    head = noise(t, rng=rng, amplitude=[0.05, 0.025, 0.12], low=0.1, high=0.7) * lively
    head[:, 0] += 0.02 - 0.06 * old - 0.72 * manner.stoop
    plan = Plan(t=t, pelvis=pelvis, turn=ik.lean(0.02 + 0.10 * old + tilt[:, 0], tilt[:, 1], tilt[:, 2]), spine=bend, head=head)
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, relaxed(t, manner, rng=rng))]
    plan.rests.append(Rest(parts=FLESH, weight=np.ones(count), sink=0.005, guard=True))
    return plan


def relaxed(t: np.ndarray, manner: Manner, *, rng: np.random.Generator, flexion: float | np.ndarray = 0.0) -> ArmAngles:
    """An arm that hangs; an old one a little before the body with the elbow bent."""
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
    """Where the feet of a standing person are: about hip wide, toes a little out, neither exactly abreast."""
    half = 0.5 * rig.hip_width + rng.uniform(-0.005, 0.045) + 0.025 * manner.old
    shift = rng.uniform(-0.04, 0.04)
    return {
        side: Footprint(
            on=-9.0, off=99.0, x=SIGN[side] * half, z=-back + SIGN[side] * shift, yaw=SIGN[side] * rng.uniform(0.03, 0.24)
        )
        for side in SIDES
    }


def stand_on(plan: Plan, rig: Rig, prints: dict[str, Footprint]) -> dict[str, Foot]:
    """Plant both feet for the whole clip."""
    feet = {}
    for side, at in prints.items():
        count = len(plan.t)
        feet[side] = Foot(
            ground=np.tile([at.x, 0.0, at.z], (count, 1)), yaw=np.full(count, at.yaw), pitch=np.zeros(count),
            contact=np.ones(count),
        )  # fmt: skip
    use_feet(plan, rig, feet)
    return feet


def use_feet(plan: Plan, rig: Rig, feet: dict[str, Foot]) -> None:
    """Give the legs their footprints to follow."""
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, feet[side].goal(rig, side))]
        plan.reach[side] = feet[side].contact


def planted(rig: Rig, side: str, x: float, z: float, yaw: float = 0.0, pitch: float = 0.0, lift: float = 0.0) -> Planted:
    """A foot that stays in one place."""
    ankle, foot = ankle_of(rig, side, np.array([[x, lift, z]]), np.array([yaw]), np.array([pitch]))
    return Planted(ankle=tuple(ankle[0]), foot=foot[0], toe=max(pitch, 0.0))


def times(seconds: float, fps: float) -> Float[np.ndarray, "t"]:
    """Frame times, seconds."""
    return np.arange(max(8, round(seconds * fps))) / fps


def along(t: np.ndarray, *keys: tuple[Any, Any]) -> np.ndarray:
    """``curves.keyed`` with the keys as arguments."""
    return keyed(t, keys)
