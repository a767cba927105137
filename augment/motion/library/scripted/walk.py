"""Walking and standing. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import ik
from .curves import noise
from .gait import Footfalls, Gait, Trail, Walk, lay_walk, make_trail
from .goals import Hand
from .manner import Manner, Take, draw_manner, oldness, pick, posture, relaxed, stance_prints, stand_on, use_feet
from .pose import PosePlan
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkManner(Manner):
    """``side`` is the direction of a turn and the foot that steps first."""

    speed: float
    """Metres a second."""
    turn: float
    """Total turn towards ``side``, radians."""
    path: str
    """``straight``, ``arc`` (constant turn), ``corner`` (turns within a metre) or ``wave`` (turns and turns back)."""
    arm_swing: float
    """Rotation of the upper arm per metre between the feet, radians."""
    width: float
    """Between the feet's middles, metres."""
    starts: bool
    """Starts from standing; otherwise the clip begins in mid-walk."""
    stops: bool
    """Ends standing."""


def draw_walk(rng: np.random.Generator, rig: Rig) -> WalkManner:
    manner = draw_manner(rng, 3.0, 7.5)
    old = oldness(manner["age"])
    path = pick(rng, straight=0.35, arc=0.35, corner=0.2, wave=0.1)
    turn = {"straight": 0.12, "arc": rng.uniform(0.4, 1.8), "corner": rng.uniform(0.6, 1.7), "wave": 0.6}[path]
    return WalkManner(
        **manner, speed=float(rng.uniform(0.85, 1.45) * (1 - old) + rng.uniform(0.35, 0.8) * old), turn=float(turn), path=path,
        arm_swing=float(rng.uniform(0.45, 0.75) * (1 - 0.55 * old)), width=float(rng.uniform(0.12, 0.17) + 0.05 * old),
        starts=bool(rng.random() < 0.5), stops=bool(rng.random() < 0.4),
    )  # fmt: skip


def act_walk(t: np.ndarray, rig: Rig, manner: WalkManner, *, rng: np.random.Generator) -> Take:
    """Walk along a path; pelvis, spine and arms follow from where the feet are."""
    stride = stride_of(rig, manner)
    steps = draw_footfalls(manner, stride, rng=rng)
    plan = walk_along(t, rig, manner, draw_trail(manner, steps, rng=rng), steps, rng=rng)
    return Take(plan=plan, segments=walk_segments(manner, steps, stride))


def stride_of(rig: Rig, manner: WalkManner) -> float:
    """Length of a step, metres."""
    return rig.scale * (1 - 0.22 * manner.old) * 0.60 * max(manner.speed, 0.2) ** 0.55


def walk_along(
    t: np.ndarray, rig: Rig, manner: WalkManner, trail: Trail, steps: Footfalls, *, rng: np.random.Generator
) -> PosePlan:
    """The plan of a walk with footfalls along a trail."""
    old, stride = manner.old, stride_of(rig, manner)
    gait = Gait(
        width=manner.width, toe_out=0.09 + 0.08 * old, double_support=0.2 + 0.2 * old, clearance=0.035 + 0.015 * manner.speed,
        roll=1.0 - 0.55 * old,
    )  # fmt: skip
    walk = lay_walk(t, trail, steps, gait)
    plan = posture(t, rig, manner, rng=rng)
    use_feet(plan, rig, walk.feet)
    _walk_trunk(plan, rig, manner, walk, stride, rng=rng)
    for side in SIDES:
        swing = -SIGN[side] * manner.arm_swing * walk.ahead
        arm = relaxed(t, manner, rng=rng, flexion=np.where(swing > 0, 0.85 * swing, swing))
        arm.elbow = arm.elbow + np.maximum(0.5 * swing, 0.0) + 0.12 * manner.speed
        plan.arms[side] = [(0.0, 0.0, arm)]
    return plan


def walk_segments(manner: WalkManner, steps: Footfalls, stride: float) -> list[tuple[str, float]]:
    """Standing, walking, standing, as the manner says."""
    falls, gap = steps.falls, stride / manner.speed
    segments = [("standing", max(falls[0][0] - 0.9 * gap, 0.3))] if manner.starts else []
    if manner.stops:
        return [*segments, ("walk", min(falls[-1][0] + 0.1, manner.seconds - 0.2)), ("standing", manner.seconds)]
    return [*segments, ("walk", manner.seconds)]


def draw_footfalls(manner: WalkManner, stride: float, *, rng: np.random.Generator) -> Footfalls:
    """Footfalls with some variation in time and length, over the whole clip."""
    gap = stride / manner.speed
    start = rng.uniform(0.2, 0.7) if manner.starts else 0.0
    stop = rng.uniform(0.3, 0.8) if manner.stops else 0.0
    if manner.starts:
        falls, start_s = [(start + 0.9 * gap, 0.55 * stride)], 0.0
    else:
        falls, start_s = [(-rng.uniform(1.0, 2.0) * gap, -1.2 * stride)], None
    last_step = manner.seconds - stop - 0.9 * gap if manner.stops else manner.seconds + 2.5 * gap
    while falls[-1][0] + gap < last_step or len(falls) < 3:
        beat = gap * (1 + 0.03 * rng.standard_normal())
        falls.append((falls[-1][0] + beat, falls[-1][1] + stride * (1 + 0.035 * rng.standard_normal())))
    if manner.stops:
        falls.append((falls[-1][0] + gap, falls[-1][1] + 0.04))
    return Footfalls(falls=falls, start_s=start_s, end_pause=manner.stops)


def draw_trail(manner: WalkManner, steps: Footfalls, *, rng: np.random.Generator) -> Trail:
    """The path of the drawn shape, as long as the footfalls need."""
    length = steps.falls[-1][1]
    middle = rng.uniform(0.45, 0.6) * length
    turns = {
        "straight": [(0.0, length, manner.turn)],
        "arc": [(-0.2 * length, 1.2 * length, 1.3 * manner.turn)],
        "corner": [(middle - 0.5, middle + 0.5, manner.turn)],
        "wave": [(0.0, 0.4 * length, manner.turn), (0.4 * length, length, -1.6 * manner.turn)],
    }[manner.path]
    return make_trail(max(0.0, -steps.falls[0][1]) + 1.0, length, turns)


def _walk_trunk(plan: PosePlan, rig: Rig, manner: WalkManner, walk: Walk, stride: float, *, rng: np.random.Generator) -> None:
    """Pelvis over the stance foot, trunk and head against its rotation."""
    t, old = plan.t, manner.old
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StandManner(Manner):
    """``side`` is the leg that carries more weight."""

    arms: str
    """``hang``, ``hips`` (hands on the hips), ``clasp`` (hands in front of the belly) or ``behind`` (the back)."""
    shift: float
    """Amplitude of the shift from leg to leg, metres."""
    look: float
    """Amplitude of the head's turns, radians."""


def draw_stand(rng: np.random.Generator, rig: Rig) -> StandManner:
    manner = draw_manner(rng, 2.5, 6.0)
    return StandManner(
        **manner, arms=pick(rng, hang=0.6, hips=0.12, clasp=0.18, behind=0.1), shift=float(rng.uniform(0.0, 0.04)),
        look=float(rng.uniform(0.05, 0.35)),
    )  # fmt: skip


def act_stand(t: np.ndarray, rig: Rig, manner: StandManner, *, rng: np.random.Generator) -> Take:
    """Stand, shift weight, look around."""
    plan = posture(t, rig, manner, rng=rng)
    stand_on(plan, rig, stance_prints(rig, manner, rng=rng))
    sway = manner.shift * rig.scale * (0.5 + noise(t, rng=rng, amplitude=0.7, low=0.08, high=0.3))
    plan.pelvis[:, 0] += sway
    plan.turn = plan.turn @ ik.lean(roll=1.0 * sway)
    plan.spine[:, 1] -= 1.2 * sway
    plan.head += noise(t, rng=rng, amplitude=[0.3 * manner.look, 0.1 * manner.look, manner.look], low=0.08, high=0.4)
    for side in SIDES:
        goal = _held_arm(manner.arms, rig, side, t, rng=rng)
        if goal is not None:
            plan.arms[side] = [(0.0, 0.0, goal)]
    return Take(plan=plan, segments=[("standing", manner.seconds)])


def _held_arm(arms: str, rig: Rig, side: str, t: np.ndarray, *, rng: np.random.Generator) -> Hand | None:
    """Goal of a hand on the hip, in front of the belly or behind the back; None for a hanging arm."""
    wander = noise(t, rng=rng, amplitude=[0.005, 0.006, 0.004], low=0.1, high=0.6)
    over = 0.0 if side == "left" else 1.0
    half = 0.5 * rig.hip_width
    spots = {
        "hips": ((half + 0.085, 0.06, 0.06), (1.0, 0.0, -0.35), (-0.35, -0.75, 0.55), (-1.0, 0.0, -0.3)),
        "clasp": ((0.06, 0.03 - 0.02 * over, 0.19 + 0.035 * over), (1.0, -0.5, -0.6), (-1.0, -0.45, 0.0), (0.0, -0.4, -1.0)),
        "behind": ((0.06, -0.02, -0.19 - 0.035 * over), (1.0, 0.2, -0.3), (-1.0, -0.5, 0.0), (0.0, 0.3, -1.0)),
    }
    if arms not in spots:
        return None
    at, pole, fingers, palm = spots[arms]
    return Hand(at=np.array(at) * rig.scale + wander, frame="pelvis", pole=pole, fingers=fingers, palm=palm)
