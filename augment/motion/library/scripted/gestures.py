"""Wave and reach while standing. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import noise, window
from .goals import Hand
from .manner import Manner, Take, draw_manner, posture, relaxed, stance_prints, stand_on, use_feet
from .rig import SIDES, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveManner(Manner):
    """``side`` is the waving hand."""

    height: float
    """0 waves beside the shoulder, 1 above the head."""
    swing: float
    """Amplitude of the forearm to either side, radians."""
    pace: float
    """Waves a second."""


def draw_wave(rng: np.random.Generator, rig: Rig) -> WaveManner:
    return WaveManner(
        **draw_manner(rng, 2.5, 5.5), height=float(rng.beta(1.3, 1.3)), swing=float(rng.uniform(0.25, 0.6)),
        pace=float(rng.uniform(1.1, 2.2)),
    )  # fmt: skip


def act_wave(t: np.ndarray, rig: Rig, manner: WaveManner, *, rng: np.random.Generator) -> Take:
    """Raise a hand, wave the forearm from side to side, lower it."""
    plan = posture(t, rig, manner, rng=rng)
    stand_on(plan, rig, stance_prints(rig, manner, rng=rng))
    up = rng.uniform(0.2, 0.6)
    raised = up + rng.uniform(0.5, 0.9) * (1 + 0.4 * manner.old)
    lower = manner.seconds - rng.uniform(0.9, 1.3) if rng.random() < 0.7 else manner.seconds + 9.0
    phase = 2 * np.pi * manner.pace * (t - raised) + 0.5 * noise(t, rng=rng, amplitude=0.5, low=0.2, high=0.8)
    angle = manner.swing * np.sin(phase) * window(t, raised, min(lower, manner.seconds + 1), 0.4)
    angle = 0.15 - angle + 0.15 * (1 - manner.height)
    high = manner.height * (1 - 0.45 * manner.old)
    toward = ik.unit(np.array([0.62 + 0.18 * high, -0.75 + 0.95 * high, 0.55 - 0.15 * high]))
    shoulder = rig.rest[16] - rig.rest[9]
    elbow = shoulder + rig.upper_arm * toward + noise(t, rng=rng, amplitude=[0.012, 0.012, 0.01], low=0.3, high=1.2)
    forearm = ik.unit(np.stack([np.sin(angle), np.cos(angle), np.full(len(t), 0.22 - 0.1 * high)], axis=1))
    delayed = 0.15 + 0.55 * manner.swing * np.sin(phase - 0.6) * -1.0
    fingers = np.stack([np.sin(angle + 0.5 * delayed), np.cos(angle + 0.5 * delayed), 0.1 + 0 * t], axis=1)
    hand = Hand(
        at=elbow + forearm * rig.forearm * 0.97, frame="chest", pole=tuple(toward), fingers=fingers, palm=(0.0, -0.1, 1.0)
    )
    plan.arms["left"] += [(up, raised, hand), (lower, lower + 0.8, relaxed(t, manner, rng=rng))]
    lift = window(t, raised, min(lower, manner.seconds + 1), 0.5)
    plan.spine[:, 1] += 0.05 * lift * (0.4 + high)
    plan.head[:, 0] -= 0.1 * lift
    return Take(plan=plan, segments=[("standing", manner.seconds)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachManner(Manner):
    """``side`` is the reaching hand."""

    height: float
    """Elevation of the target, as a share of a right angle: 0 forward, 1 straight up."""
    out: float
    """Azimuth of the target, to the side (positive) or across the body, radians."""
    tiptoe: float
    """Pitch of the raised heels, radians."""
    both: bool
    """Both hands reach."""


def draw_reach(rng: np.random.Generator, rig: Rig) -> ReachManner:
    manner = draw_manner(rng, 2.5, 5.5)
    return ReachManner(
        **manner, height=float(rng.uniform(0.45, 0.97)), out=float(rng.uniform(-0.3, 0.6)),
        tiptoe=float(rng.uniform(0.15, 0.5) if rng.random() < 0.4 and float(manner["age"]) < 75 else 0.0),
        both=bool(rng.random() < 0.3),
    )  # fmt: skip


def act_reach(t: np.ndarray, rig: Rig, manner: ReachManner, *, rng: np.random.Generator) -> Take:
    """Look up, reach for something high, hold, come back."""
    plan = posture(t, rig, manner, rng=rng)
    prints = stance_prints(rig, manner, rng=rng)
    up = rng.uniform(0.2, 0.7)
    there = up + rng.uniform(0.7, 1.1) * (1 + 0.5 * manner.old)
    leave = max(there + 0.3, manner.seconds - rng.uniform(1.1, 1.6)) if rng.random() < 0.75 else manner.seconds + 9
    hold = window(t, there, min(leave, manner.seconds + 9), 0.6)
    feet = stand_on(plan, rig, prints)
    heels = manner.tiptoe * window(t, there - 0.1, leave, 0.45) * (1 + 0.06 * np.sin(7 * t))
    for foot in feet.values():
        foot.pitch = heels
    use_feet(plan, rig, feet)
    toe_length = float(np.hypot(*rig.ball["left"][1:]))
    plan.pelvis[:, 1] += toe_length * np.sin(heels) * 0.95
    plan.pelvis[:, 2] += 0.05 * hold + 0.5 * toe_length * np.sin(heels)
    high = manner.height
    rise = np.sin(high * np.pi / 2)
    ahead = np.cos(high * np.pi / 2)
    direction = ik.unit(np.array([np.sin(manner.out) * 0.6, rise, max(ahead, 0.15) + 0.1]))
    shoulder = rig.rest[16] - rig.rest[0]
    base = plan.pelvis.mean(axis=0) * [0, 1, 0] + shoulder + [0.0, 0.05 * rise, 0.10]
    reach = (rig.upper_arm + rig.forearm) * rng.uniform(0.93, 1.03)
    wander = noise(t, rng=rng, amplitude=[0.015, 0.012, 0.012], low=0.3, high=1.3)
    spot = base + direction * reach + wander + toe_length * np.sin(heels)[:, None] * [0, 1, 0.3]
    for side in SIDES if manner.both else ("left",):
        sign = 1.0 if side == "left" else -1.0
        at = spot * [sign, 1, 1] if not manner.both else spot * [0, 1, 1] + [0.12 * sign, 0, 0]
        hand = Hand(
            at=at,
            pole=(0.7 * sign, -0.8, -0.2),
            fingers=tuple(ik.unit(direction * [sign, 1, 1] + [0, 0.1, 0.5])),
            palm=(0.0, -0.35, 1.0),
        )
        plan.arms[side] += [(up, there, hand), (leave, leave + 1.0, relaxed(t, manner, rng=rng))]
    plan.spine[:, 1] -= 0.14 * hold * rise * (0.0 if manner.both else 1.0)
    plan.spine[:, 0] -= (0.10 * rise - 0.08 * ahead) * hold
    plan.head[:, 0] -= (0.35 * rise) * hold
    plan.head[:, 2] += 0.15 * hold * np.sign(manner.out)
    plan.turn = plan.turn @ ik.lean(roll=-0.03 * hold)
    return Take(plan=plan, segments=[("standing", manner.seconds)])
