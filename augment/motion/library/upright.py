"""Actions on the feet: walk, stand, wave, reach, pick up, jump. World frame, metres, radians; all acted as ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import noise, ramp
from .gait import lay_walk, make_trail
from .manner import Manner, Take, draw_manner, pick, posture, relaxed, standing_height, use_feet
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkManner(Manner):
    """``side`` is the way a turn goes and the foot that steps first."""

    speed: float
    """Metres a second in full stride."""
    turn: float
    """Radians turned over the whole walk, towards ``side``."""
    path: str
    """``straight``, ``arc`` (turns all the way), ``corner`` (turns within a metre) or ``wave`` (there and back)."""
    arm_swing: float
    """Radians of upper arm for a metre between the feet."""
    width: float
    """Between the feet's middles, metres."""
    starts: bool
    """Stands first; otherwise the clip begins in mid-walk."""
    stops: bool
    """Comes to a stand."""


def draw_walk(rng: np.random.Generator) -> WalkManner:
    manner = draw_manner(rng, 3.0, 7.5)
    old = float(np.clip((float(manner["age"]) - 50.0) / 40.0, 0.0, 1.0))
    path = pick(rng, straight=0.35, arc=0.35, corner=0.2, wave=0.1)
    turn = {"straight": 0.12, "arc": rng.uniform(0.4, 1.8), "corner": rng.uniform(0.6, 1.7), "wave": 0.6}[path]
    return WalkManner(
        **manner, speed=float((rng.uniform(0.85, 1.45) * (1 - old) + rng.uniform(0.35, 0.8) * old)), turn=float(turn), path=path,
        arm_swing=float(rng.uniform(0.45, 0.75) * (1 - 0.55 * old)), width=float(rng.uniform(0.09, 0.15) + 0.06 * old),
        starts=bool(rng.random() < 0.5), stops=bool(rng.random() < 0.4),
    )  # fmt: skip


def act_walk(t: np.ndarray, rig: Rig, manner: WalkManner, *, rng: np.random.Generator) -> Take:
    """Heel strike to push-off along a path; pelvis, spine and arms follow from where the feet are."""
    old, seconds = manner.old, manner.seconds
    stride = rig.scale * (1 - 0.22 * old) * 0.60 * max(manner.speed, 0.2) ** 0.55
    gap = stride / manner.speed
    start = rng.uniform(0.2, 0.7) if manner.starts else 0.0
    stop = rng.uniform(0.3, 0.8) if manner.stops else 0.0
    if manner.starts:
        first, s = start + 0.9 * gap, 0.55 * stride
        start_s = 0.0
    else:
        first, s, start_s = -rng.uniform(1.0, 2.0) * gap, -1.2 * stride, None
    falls = [(first, s)]
    last_step = seconds - stop - 0.9 * gap if manner.stops else seconds + 2.5 * gap
    while falls[-1][0] + gap < last_step or len(falls) < 3:
        beat = gap * (1 + 0.03 * rng.standard_normal())
        falls.append((falls[-1][0] + beat, falls[-1][1] + stride * (1 + 0.035 * rng.standard_normal())))
    if manner.stops:
        falls.append((falls[-1][0] + gap, falls[-1][1] + 0.04))
    length = falls[-1][1]
    middle = rng.uniform(0.45, 0.6) * length
    turns = {
        "straight": [(0.0, length, manner.turn)],
        "arc": [(-0.2 * length, 1.2 * length, 1.3 * manner.turn)],
        "corner": [(middle - 0.5, middle + 0.5, manner.turn)],
        "wave": [(0.0, 0.4 * length, manner.turn), (0.4 * length, length, -1.6 * manner.turn)],
    }[manner.path]
    walk = lay_walk(
        t, rig, make_trail(max(0.0, -falls[0][1]) + 1.0, length, turns), falls, width=manner.width, toe_out=0.09 + 0.08 * old,
        double_support=0.2 + 0.2 * old, clearance=0.035 + 0.015 * manner.speed, roll=1.0 - 0.55 * old, first="left",
        start_s=start_s, end_pause=manner.stops,
    )  # fmt: skip
    plan = posture(t, rig, manner, rng=rng)
    use_feet(plan, rig, walk.feet)
    right = np.stack([-np.cos(walk.heading), 0 * t, np.sin(walk.heading)], axis=1)
    going = np.clip(np.abs(walk.ahead) / (0.5 * stride), 0, 1)
    sway = (0.5 * manner.width * (0.30 + 0.25 * old)) * walk.sway
    plan.pelvis = np.stack([0 * t, plan.pelvis[:, 1] - (0.008 + 0.01 * old) * rig.leg, 0 * t], axis=1)
    plan.pelvis += walk.center - right * sway[:, None] + 0.02 * np.stack([np.sin(walk.heading), 0 * t, np.cos(walk.heading)], 1)
    pelvis_yaw = -0.16 * walk.ahead * (1 - 0.4 * old)
    base = plan.spine.copy()
    wobble = noise(t, rng=rng, amplitude=[0.010, 0.008, 0.012], low=0.2, high=0.8)
    plan.turn = ik.lean(
        0.03 + 0.03 * manner.speed + 0.08 * old + wobble[:, 0], -0.045 * walk.sway + wobble[:, 1], walk.heading + pelvis_yaw
    )
    plan.spine = base + np.stack([0.01 * going, 0.055 * walk.sway, -2.0 * pelvis_yaw], axis=1)
    plan.head[:, 2] += 1.0 * pelvis_yaw + 0.35 * np.gradient(walk.heading, t) * 0.5
    plan.head[:, 1] -= 0.02 * walk.sway
    for side in SIDES:
        swing = -SIGN[side] * manner.arm_swing * walk.ahead
        arm = relaxed(t, manner, rng=rng, flexion=np.where(swing > 0, swing, 0.85 * swing))
        arm.elbow = arm.elbow + np.maximum(0.5 * swing, 0.0) + 0.12 * manner.speed
        plan.arms[side] = [(0.0, 0.0, arm)]
    segments = [("standing", max(falls[0][0] - 0.9 * gap, 0.3))] if manner.starts else []
    if manner.stops:
        segments += [("walk", min(falls[-1][0] + 0.1, seconds - 0.2)), ("standing", seconds)]
    else:
        segments.append(("walk", seconds))
    return Take(plan=plan, segments=segments)
