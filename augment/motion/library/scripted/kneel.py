"""Kneel down. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from . import ik
from .curves import along, noise, ramp, window
from .gait import Foot, Footprint, step_feet
from .goals import Hand
from .manner import FLESH, Manner, Take, draw_manner, pick, posture, relaxed, stance_prints, standing_height
from .pose import PosePlan, Rest
from .rig import SIDES, Rig

TUCKED = 1.15
"""Pitch of a kneeling person's foot on its toes, radians."""
HIP_AHEAD = 0.02
"""Distance of a kneeling person's hip ahead of the knee, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KneelManner(Manner):
    """``side`` is the knee that is lowered first."""

    ends: str
    """``upright`` (both knees, thighs upright), ``heels`` (sits back) or ``half`` (one knee)."""
    hands: str
    """``hang``, ``thigh`` (a hand pushes on the other thigh on the way) or ``lap`` (both on the thighs when down)."""


def draw_kneel(rng: np.random.Generator, rig: Rig) -> KneelManner:
    return KneelManner(
        **draw_manner(rng, 3.5, 7.0), ends=pick(rng, upright=0.45, heels=0.35, half=0.2),
        hands=pick(rng, hang=0.35, thigh=0.3, lap=0.35),
    )  # fmt: skip


def tucked_ankle(rig: Rig) -> Float[np.ndarray, "2"]:
    """Distance that the ankle moves up and forward when the foot pitches to ``TUCKED`` about its toes, metres."""
    y, z = rig.ball["left"][1:]
    return np.array([y - (np.cos(TUCKED) * y - np.sin(TUCKED) * z), z - (np.sin(TUCKED) * y + np.cos(TUCKED) * z)])


def knee_ahead(rig: Rig) -> float:
    """Distance of a knee on the floor ahead of the ankle, with the foot on its toes, metres."""
    rise = rig.ankle_height + float(tucked_ankle(rig)[0]) - rig.knee_radius
    return float(np.sqrt(rig.shank**2 - rise**2))


def kneeling_hip(rig: Rig) -> float:
    """Height of the hip above a knee on the floor, metres."""
    return rig.knee_radius + float(np.sqrt(rig.thigh**2 - HIP_AHEAD**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class KneelTimes:
    """Seconds at which each stage of kneeling down ends."""

    begin: float
    """The person starts to step back."""
    stepped: float
    """The left foot is behind."""
    first: float
    """The left knee is on the floor."""
    second: float
    """The right knee is on the floor."""
    slow: float
    """Factor on durations; above 1 for the old."""


def act_kneel(t: np.ndarray, rig: Rig, manner: KneelManner, *, rng: np.random.Generator) -> Take:
    """Step back with one foot, lower that knee to the floor, bring the other one down beside it."""
    plan = posture(t, rig, manner, rng=rng)
    slow = 1.0 + 0.5 * manner.old
    begin = rng.uniform(0.2, 0.6)
    stepped = begin + 0.55 * slow
    total = max(1.6, manner.seconds - begin - 0.8)
    first = min(stepped + 0.75 * slow, begin + 0.55 * total)
    second = min(first + 0.75 * slow, begin + 0.9 * total)
    times = KneelTimes(begin=begin, stepped=stepped, first=first, second=second, slow=slow)
    half = manner.ends == "half"
    prints = stance_prints(rig, manner, rng=rng, back=0.03)
    # The stepping foot is placed so that its knee lands a little behind the heel of the other foot.
    back = knee_ahead(rig) + tucked_ankle(rig)[1] + rng.uniform(0.12, 0.24) * rig.scale
    toes_z = prints["right"].z - back
    feet = _kneel_feet(t, prints, times, toes_z, half=half)
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, feet[side].goal(rig, side))]
    _kneel_pelvis(plan, rig, manner, times, 0.5 * (prints["right"].z + toes_z), toes_z)
    effort = window(t, stepped, first, 0.5) + (0.6 * window(t, first + 0.1, second, 0.4) if not half else 0.0)
    kneeling = ramp(t, first, second)
    plan.turn = ik.lean(
        (0.02 + 0.10 * manner.old) * (1 - kneeling) + 0.30 * effort + 0.08 * (manner.ends == "heels") * kneeling,
        noise(t, rng=rng, amplitude=0.012, low=0.1, high=0.6),
        noise(t, rng=rng, amplitude=0.02, low=0.1, high=0.6),
    )
    plan.spine[:, 0] += 0.28 * effort
    plan.head[:, 0] -= 0.15 * effort
    _kneel_arms(plan, rig, manner, times, effort, rng=rng)
    for rule in plan.rests:
        rule.parts = tuple(part for part in FLESH if part not in (4, 5))
    plan.rests.append(Rest(parts=(4,) if half else (4, 5), weight=ramp(t, first - 0.12, first), sink=0.006))
    end = first if half else second
    return Take(plan=plan, segments=[("standing", begin), ("kneel_down", end), ("kneeling", manner.seconds)])


def _kneel_feet(
    t: np.ndarray, prints: dict[str, Footprint], times: KneelTimes, toes_z: float, *, half: bool
) -> dict[str, Foot]:
    """The left foot steps back onto its toes at ``toes_z``, and then the right one, unless only one knee goes down."""
    lead, other = prints["left"], prints["right"]
    begin, stepped, first, second = times.begin, times.stepped, times.first, times.second
    feet = step_feet(
        t, {"left": [Footprint(on=-9, off=begin, x=lead.x, z=lead.z, yaw=lead.yaw),
                     Footprint(on=stepped, off=99, x=lead.x, z=toes_z, yaw=0.05)],
            "right": [other]}, clearance=0.05, roll=0.5,
    )  # fmt: skip
    lead_pitch = along(t, (begin, 0.0), (stepped - 0.1, 0.55), (first, TUCKED))
    feet["left"] = Foot(ground=feet["left"].ground, yaw=feet["left"].yaw, pitch=lead_pitch, contact=0 * t)
    if half:
        return feet
    back = ramp(t, first + 0.05, second)
    ground = np.stack([0 * t + other.x, 0.05 * np.sin(np.pi * back) ** 2, other.z + (toes_z - other.z) * back], axis=1)
    pitch = along(t, (first - 0.05, 0.0), (0.5 * (first + second), 0.85), (second, TUCKED))
    feet["right"] = Foot(ground=ground, yaw=other.yaw * (1 - back) - 0.05 * back, pitch=pitch, contact=0 * t)
    return feet


def _kneel_pelvis(plan: PosePlan, rig: Rig, manner: KneelManner, times: KneelTimes, middle_z: float, toes_z: float) -> None:
    """Lower the pelvis over the knees, and onto the heels if the manner ends there; ``middle_z`` lies between the feet."""
    t, begin, stepped, first, second = plan.t, times.begin, times.stepped, times.first, times.second
    knee_z = toes_z + tucked_ankle(rig)[1] + knee_ahead(rig)
    stand = standing_height(rig, manner)
    down_y, down_z = kneeling_hip(rig) + rig.hip_drop, knee_z + HIP_AHEAD + (rig.rest[0, 2] - rig.rest[1, 2])
    still = plan.pelvis - [0.0, stand, 0.0]
    seat_y, seat_back = _heel_seat(rig)
    on_heels = manner.ends == "heels"
    settled = second + times.slow
    y = along(
        t, (begin, stand), (stepped, stand - 0.10 * rig.leg), (first, down_y), (second, down_y),
        *([(second + 0.2, down_y), (settled, seat_y)] if on_heels else []),
    )  # fmt: skip
    z = along(
        t, (begin, 0.0), (stepped, middle_z + 0.08), (first, down_z), (second, down_z),
        *([(second + 0.2, down_z), (settled, knee_z - seat_back)] if on_heels else []),
    )  # fmt: skip
    settle = ramp(t, stepped, first)
    plan.pelvis = (
        np.stack([-0.02 * ramp(t, begin, stepped) * (1 - settle), y, z], axis=1) + still * (1 - 0.85 * settle)[:, None]
    )


def _kneel_arms(
    plan: PosePlan, rig: Rig, manner: KneelManner, times: KneelTimes, effort: np.ndarray, *, rng: np.random.Generator
) -> None:
    """Arms hang; a hand may push on the right thigh on the way down, or rest on the thighs at the end."""
    t, half = plan.t, manner.ends == "half"
    begin, stepped, first, second = times.begin, times.stepped, times.first, times.second
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, relaxed(t, manner, rng=rng, flexion=0.45 * effort))]
        wander = noise(t, rng=rng, amplitude=[0.004, 0.005, 0.001], low=0.1, high=0.5)
        push = Hand(at=np.array([0.0, -0.72 * rig.thigh, rig.thigh_radius + rig.palm + 0.004]) + wander, frame="thigh",
                    pole=(0.9, 0.5, 0.1), fingers=(-0.25, -1.0, -0.1), palm=(0, 0, -1))  # fmt: skip
        lap = Hand(at=np.array([0.01, -0.5 * rig.thigh, rig.thigh_radius + rig.palm + 0.004]) + wander, frame="thigh",
                   pole=(0.9, 0.6, -0.2), fingers=(-0.35, -1.0, -0.1), palm=(0, 0, -1))  # fmt: skip
        if manner.hands == "thigh" and side == "right":
            plan.arms[side].append((begin + 0.3, stepped + 0.2, push))
            if not half:
                plan.arms[side].append((first + 0.1, second, relaxed(t, manner, rng=rng)))
        if (manner.hands == "lap" and manner.ends == "heels") or (half and side == "right"):
            plan.arms[side].append((second, second + 0.9 * times.slow, lap))


def _heel_seat(rig: Rig) -> tuple[float, float]:
    """Height of the pelvis, and its distance behind the knees, of a person sitting back on the heels."""
    angle = np.radians(46.0)
    return rig.knee_radius + rig.thigh * np.sin(angle) + rig.hip_drop, float(rig.thigh * np.cos(angle))
