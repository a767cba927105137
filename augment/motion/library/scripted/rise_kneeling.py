"""Getting up from the floor over hands and knees and one foot. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....geometry import axis_rotation
from . import ik
from .crawl import crawl_trunk
from .curves import along, between, noise, ramp, window
from .gait import Foot
from .goals import Hand, Knelt, follow_turns
from .kneel import TUCKED, knee_ahead, kneeling_hip, tucked_ankle
from .lying import GUARDED, TRUNK, LyingPose, lying_hands, settle_lying, side_arms, start_lying
from .manner import Manner, relaxed, stage_ends, standing_height
from .pose import PosePlan, Rest
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True, kw_only=True)
class KneelingTimes:
    """Seconds at which each stage of getting up over hands and knees ends."""

    begin: float
    """The person starts to move."""
    sided: float
    """On the left side."""
    fours: float
    """On hands and knees."""
    half: float
    """On one knee."""
    up: float
    """Standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KneelingPlaces:
    """Where the body is supported; facing -z, so forward is -z and the person's left is -x. Metres."""

    x: float
    """Of the pelvis once on the side."""
    knee_z: float
    foot_z: float
    """Of the foot put forward."""
    reach: float
    """From the hips to the hands on hands and knees."""
    tilt: float
    """Pitch of the pelvis on hands and knees, radians."""
    bend: float
    """Bend of the spine on hands and knees, radians."""


FACING = axis_rotation("y", np.pi)
"""Rotation to facing -z."""


def rise_kneeling(t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator) -> tuple[PosePlan, float, float]:
    """Supine, onto the left side, hands and knees, right foot forward, stand (facing -z).

    Returns:
        The plan, and the seconds at which the person starts to move and stands.
    """
    plan, lying = start_lying(t, rig, manner, rng=rng)
    aside = settle_lying(rig, pose="side", knee=0.0, pillow=0.0, stoop=manner.stoop)
    begin, sided, fours, half, up = stage_ends([0.05, 0.19, 0.22, 0.20, 0.20], manner.seconds, rng=rng)
    times = KneelingTimes(begin=begin, sided=sided, fours=fours, half=half, up=up)
    bend, knee_z = 0.35 * manner.stoop, -0.02
    tilt, reach = crawl_trunk(rig, bend)
    places = KneelingPlaces(
        x=0.26 * rig.scale, knee_z=knee_z, foot_z=knee_z - 0.30 * rig.scale, reach=reach, tilt=tilt, bend=bend,
    )  # fmt: skip
    _pelvis(plan, rig, manner, (lying, aside), times, places)
    _trunk(plan, (lying, aside), times, bend, rng=rng)
    _legs(plan, rig, aside, times, places, rng=rng)
    _arms(plan, rig, manner, lying, times, places, rng=rng)
    lies = 1 - ramp(t, sided, between(sided, fours, 0.4))
    plan.rests = [
        Rest(parts=TRUNK, weight=lies, sink=0.008),
        Rest(parts=GUARDED, weight=np.ones(len(t)), sink=0.008, guard=True),
        Rest(parts=(4, 5), weight=ramp(t, fours - 0.2, fours) * (1 - ramp(t, half, half + 0.15)), sink=0.006),
    ]
    return plan, begin, up


def _pelvis(
    plan: PosePlan, rig: Rig, manner: Manner, poses: tuple[LyingPose, LyingPose], times: KneelingTimes, places: KneelingPlaces
) -> None:
    """Position and rotation of the pelvis from lying to standing."""
    t, (lying, aside) = plan.t, poses
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    x, knee_z, foot_z, tilt = places.x, places.knee_z, places.foot_z, places.tilt
    stand = standing_height(rig, manner)
    back_hip = rig.rest[1, 2] - rig.rest[0, 2]
    fours_y = rig.knee_radius + 0.985 * rig.thigh + rig.hip_drop * np.cos(tilt)
    half_y = kneeling_hip(rig) + rig.hip_drop
    still = plan.pelvis - [0.0, stand, 0.0]
    plan.pelvis = along(
        t, (begin, (0.0, lying.height, 0.0)), (sided, (0.5 * x, aside.height, -0.02)),
        (between(sided, fours, 0.55), (0.85 * x, 0.75 * fours_y, knee_z + 0.02)),
        (fours, (x, fours_y, knee_z - rig.hip_drop * np.sin(tilt) - 0.02)),
        (half, (x, half_y, knee_z - 0.04 - back_hip)),
        (between(half, up, 0.35), (x, half_y + 0.25 * (stand - half_y), foot_z + 0.14)),
        (up, (x, stand, foot_z + 0.02)),
    ) + still * ramp(t, half, up)[:, None]  # fmt: skip
    standing_turn = FACING @ plan.turn
    plan.turn = follow_turns([
        (0.0, 0.0, lying.turn), (begin, sided, aside.turn), (sided, fours, FACING @ ik.lean(tilt)),
        (between(fours, half, 0.25), half, FACING @ ik.lean(0.42, -0.06)),
        (half, between(half, up, 0.4), FACING @ ik.lean(0.75)),
        (between(half, up, 0.4), up, standing_turn),
    ], t)  # fmt: skip


def _trunk(
    plan: PosePlan, poses: tuple[LyingPose, LyingPose], times: KneelingTimes, bend: float, *, rng: np.random.Generator
) -> None:
    """Spine and head from lying to standing."""
    t, (lying, aside) = plan.t, poses
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    roll, rise, steady = ramp(t, begin, sided), ramp(t, sided, fours), ramp(t, half, up)

    def mix(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        first = a + (b - a) * roll[:, None]
        second = first + (c - first) * rise[:, None]
        return second + (d - second) * steady[:, None]

    end_spine, end_head = plan.spine.copy(), plan.head.copy()
    plan.spine = mix(lying.spine, aside.spine, np.array([bend, 0.0, 0.0]), end_spine)
    plan.spine[:, 0] += 0.25 * _effort(t, times)
    plan.spine[:, 2] += 0.45 * window(t, between(begin, sided, 0.3), sided, 0.4)
    plan.head = mix(lying.head, aside.head, np.array([-0.35, 0.0, 0.0]), end_head) + noise(
        t, rng=rng, amplitude=[0.03, 0.02, 0.06]
    )
    plan.head[:, 2] += 0.4 * window(t, begin, sided, 0.4)


def _effort(t: np.ndarray, times: KneelingTimes) -> np.ndarray:
    """1 while the trunk rises from hands and knees."""
    return window(t, times.fours, between(times.half, times.up, 0.4), 0.4)


def _legs(
    plan: PosePlan, rig: Rig, aside: LyingPose, times: KneelingTimes, places: KneelingPlaces, *, rng: np.random.Generator
) -> None:
    """Knees to the floor, then the right foot forward, then the left one beside it."""
    t, knee_z, foot_z = plan.t, places.knee_z, places.foot_z
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    half_hip = 0.5 * rig.hip_width
    toes_z = knee_z + knee_ahead(rig) + tucked_ankle(rig)[1]
    for side in SIDES:
        px = places.x - SIGN[side] * half_hip
        knee = np.array([px, rig.knee_radius, knee_z])
        kneel = Knelt(knee=tuple(knee), ankle=(px, 0.10, knee_z + rig.shank), bend=1.0)
        plan.legs[side] += [(begin + (0.0 if side == "right" else 0.1), sided, aside.legs[side])]
        early = sided + (0.0 if side == "left" else 0.05)
        plan.legs[side].append((early, between(sided, fours, 0.85), kneel))
        if side == "right":
            step = ramp(t, between(fours, half, 0.1), half - 0.1 * (half - fours))
            z = toes_z + (foot_z - toes_z) * step
            lift = 0.11 * np.sin(np.pi * step) ** 2
            pitch = along(t, (fours, TUCKED), (between(fours, half, 0.55), 0.5), (half - 0.1 * (half - fours), 0.0))
            foot_x = px - 0.05 * step
            yaw = np.full(len(t), np.pi) - 0.15 * step
        else:
            step = ramp(t, between(half, up, 0.45), up - 0.05 * (up - half))
            target = foot_z + rng.uniform(-0.05, 0.05)
            z = toes_z + (target - toes_z) * step
            lift = 0.05 * np.sin(np.pi * step) ** 2
            pitch = along(t, (between(half, up, 0.5), TUCKED), (between(half, up, 0.8), 0.35), (up, 0.0))
            foot_x = px + 0.0 * step
            yaw = np.full(len(t), np.pi) + 0.12 * step
        foot = Foot(ground=np.stack([0 * t + foot_x, lift, z], axis=1), yaw=yaw, pitch=pitch, contact=0 * t)
        start = fours - 0.15 * (fours - sided)
        plan.legs[side].append((start, between(fours, half, 0.12), foot.goal(rig, side)))


def _arms(
    plan: PosePlan, rig: Rig, manner: Manner, lying: LyingPose, times: KneelingTimes, places: KneelingPlaces,
    *, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Hands to the floor, then the right one pushes on the thigh, then both hang."""
    t = plan.t
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    trunk, steady = _effort(t, times), ramp(t, half, up)
    hands = lying_hands("beside", lying, rig, rng=rng, t=t)
    turned = side_arms(rng=rng, t=t)
    shoulder = 0.5 * (rig.rest[16, 0] - rig.rest[17, 0])
    for side in SIDES:
        place = np.array([places.x - SIGN[side] * shoulder, rig.palm + 0.004, places.knee_z - places.reach + 0.02 * SIGN[side]])
        floor = Hand(at=place, pole=(-SIGN[side] * 0.5, 0.2, 1.0), fingers=(SIGN[side] * 0.15, -0.05, -1.0), palm=(0, -1, 0))
        plan.arms[side] = [(0.0, 0.0, hands[side])]
        if side == "left":
            plan.arms[side].append((begin, sided, turned[side]))
        plan.arms[side].append((between(begin, sided, 0.45) if side == "right" else sided, between(sided, fours, 0.55), floor))
        hang = relaxed(t, manner, rng=rng, flexion=0.9 * trunk * (1 - steady))
        if side == "right":
            push = Hand(at=(0.01, -0.8 * rig.thigh, rig.thigh_radius + rig.palm + 0.004), frame="thigh", pole=(1.0, 0.6, 0.0),
                        fingers=(-0.3, -1.0, 0.0), palm=(0, 0, -1))  # fmt: skip
            plan.arms[side].append((half - 0.35 * (half - fours), half, push))
            plan.arms[side].append((between(half, up, 0.55), up, hang))
        else:
            plan.arms[side].append((half - 0.5 * (half - fours), between(half, up, 0.1), hang))
