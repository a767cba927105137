"""Getting up: from a bed, or from the floor over hands and knees or over sitting and squatting. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....geometry import axis_rotation
from . import ik
from .bed import BedManner, act_get_up_from_bed, draw_bed
from .curves import between, noise, ramp, window
from .floor import TUCKED, KneelGeometry, ankle_shift, crawl_trunk, kneel_geometry
from .gait import Foot
from .goals import Goal, Hand, Knelt, LegAngles
from .lying import TRUNK, LyingPose, lying_hands, restless, settle_lying, side_arms
from .manner import FLESH, Take, along, pick, posture, relaxed, standing_height
from .pose import PosePlan, Rest
from .rig import SIDES, SIGN, Rig

GUARDED = tuple(part for part in FLESH if part not in (18, 19))
"""Parts kept out of the floor while getting up from it: all but feet, hands and forearms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUpManner(BedManner):
    """``side`` is the side rolled over or leaned on."""

    way: str
    """``bed``; from the floor: ``roll`` (hands and knees, one foot forward) or ``sit`` (sit up, feet in, push off)."""


def draw_get_up(rng: np.random.Generator, rig: Rig) -> GetUpManner:
    manner = draw_bed(rng, rig, 5.0, 9.5)
    way = pick(rng, bed=0.5, roll=0.3 + 0.15 * manner.old, sit=0.2 * (1.0 - manner.old))
    fields = {name: getattr(manner, name) for name in BedManner.__dataclass_fields__}
    return GetUpManner(**fields, way=way)


def act_get_up(t: np.ndarray, rig: Rig, manner: GetUpManner, *, rng: np.random.Generator) -> Take:
    """Get up as the manner says."""
    if manner.way == "bed":
        return act_get_up_from_bed(t, rig, manner, rng=rng)
    if manner.way not in ("roll", "sit"):
        raise ValueError(f"get_up: way is 'bed', 'roll' or 'sit', not {manner.way!r}")
    return (_roll if manner.way == "roll" else _sit)(t, rig, manner, rng=rng)


def _start(t: np.ndarray, rig: Rig, manner: GetUpManner, *, rng: np.random.Generator) -> tuple[PosePlan, LyingPose]:
    """A standing plan to be changed, and the lying pose on the floor that it begins with."""
    plan = posture(t, rig, manner, rng=rng)
    lying = settle_lying(rig, pose="supine", knee=0.0, pillow=0.0, stoop=manner.stoop)
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, restless(lying.legs[side], t, rng=rng, quiet=0.5 * manner.restless))]
    return plan, lying


def _blend(t: np.ndarray, keys: list[tuple[float, float, np.ndarray]]) -> np.ndarray:
    """Rotations blended along (start, end, (t, 3, 3) or (3, 3)), like a track of goals."""
    turn = np.broadcast_to(keys[0][2], (len(t), 3, 3))
    for start, end, after in keys[1:]:
        turn = ik.slerp(turn, np.broadcast_to(after, (len(t), 3, 3)), ramp(t, start, end))
    return turn


@dataclass(frozen=True, slots=True, kw_only=True)
class RollTimes:
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
class RollPlaces:
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
    near: KneelGeometry


FACING = axis_rotation("y", np.pi)
"""Rotation to facing -z."""


def _roll(t: np.ndarray, rig: Rig, manner: GetUpManner, *, rng: np.random.Generator) -> Take:
    """Supine, onto the left side, hands and knees, right foot forward, stand (facing -z)."""
    plan, lying = _start(t, rig, manner, rng=rng)
    aside = settle_lying(rig, pose="side", knee=0.0, pillow=0.0, stoop=manner.stoop)
    parts = np.array([0.05, 0.19, 0.22, 0.20, 0.20]) * rng.uniform(0.9, 1.1, 5)
    begin, sided, fours, half, up = np.cumsum(parts) * manner.seconds * min(1.0, 0.93 / parts.sum())
    times = RollTimes(begin=begin, sided=sided, fours=fours, half=half, up=up)
    bend, knee_z = 0.35 * manner.stoop, -0.02
    tilt, reach = crawl_trunk(rig, bend)
    places = RollPlaces(
        x=0.26 * rig.scale, knee_z=knee_z, foot_z=knee_z - 0.30 * rig.scale, reach=reach, tilt=tilt, bend=bend,
        near=kneel_geometry(rig, 0.02),
    )  # fmt: skip
    _roll_pelvis(plan, rig, manner, (lying, aside), times, places)
    _roll_trunk(plan, (lying, aside), times, bend, rng=rng)
    _roll_legs(plan, rig, aside, times, places, rng=rng)
    _roll_arms(plan, rig, manner, lying, times, places, rng=rng)
    lies = 1 - ramp(t, sided, between(sided, fours, 0.4))
    plan.rests = [
        Rest(parts=TRUNK, weight=lies, sink=0.008),
        Rest(parts=GUARDED, weight=np.ones(len(t)), sink=0.008, guard=True),
        Rest(parts=(4, 5), weight=ramp(t, fours - 0.2, fours) * (1 - ramp(t, half, half + 0.15)), sink=0.006),
    ]
    return _take(plan, manner, begin, up)


def _roll_pelvis(
    plan: PosePlan, rig: Rig, manner: GetUpManner, poses: tuple[LyingPose, LyingPose], times: RollTimes, places: RollPlaces
) -> None:
    """Position and rotation of the pelvis from lying to standing."""
    t, (lying, aside) = plan.t, poses
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    x, knee_z, foot_z, tilt = places.x, places.knee_z, places.foot_z, places.tilt
    stand = standing_height(rig, manner)
    back_hip = rig.rest[1, 2] - rig.rest[0, 2]
    fours_y = rig.knee_radius + 0.985 * rig.thigh + rig.hip_drop * np.cos(tilt)
    half_y = places.near.hip_y + rig.hip_drop
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
    plan.turn = _blend(t, [
        (0.0, 0.0, lying.turn), (begin, sided, aside.turn), (sided, fours, FACING @ ik.lean(tilt)),
        (between(fours, half, 0.25), half, FACING @ ik.lean(0.42, -0.06)),
        (half, between(half, up, 0.4), FACING @ ik.lean(0.75)),
        (between(half, up, 0.4), up, standing_turn),
    ])  # fmt: skip


def _roll_trunk(
    plan: PosePlan, poses: tuple[LyingPose, LyingPose], times: RollTimes, bend: float, *, rng: np.random.Generator
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


def _effort(t: np.ndarray, times: RollTimes) -> np.ndarray:
    """1 while the trunk rises from hands and knees."""
    return window(t, times.fours, between(times.half, times.up, 0.4), 0.4)


def _roll_legs(
    plan: PosePlan, rig: Rig, aside: LyingPose, times: RollTimes, places: RollPlaces, *, rng: np.random.Generator
) -> None:
    """Knees to the floor, then the right foot forward, then the left one beside it."""
    t, knee_z, foot_z = plan.t, places.knee_z, places.foot_z
    begin, sided, fours, half, up = times.begin, times.sided, times.fours, times.half, times.up
    half_hip = 0.5 * rig.hip_width
    toes_z = knee_z + places.near.knee_ahead + ankle_shift(rig)
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


def _roll_arms(
    plan: PosePlan, rig: Rig, manner: GetUpManner, lying: LyingPose, times: RollTimes, places: RollPlaces,
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
        floor: Goal = Hand(
            at=place, pole=(-SIGN[side] * 0.5, 0.2, 1.0), fingers=(SIGN[side] * 0.15, -0.05, -1.0), palm=(0, -1, 0)
        )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SitTimes:
    """Seconds at which each stage of getting up over sitting ends."""

    begin: float
    """The person starts to move."""
    sat: float
    """Sitting."""
    drawn: float
    """Feet drawn in."""
    squat: float
    """Squatting."""
    up: float
    """Standing."""


def _sit(t: np.ndarray, rig: Rig, manner: GetUpManner, *, rng: np.random.Generator) -> Take:
    """Supine, sit up over the hands, draw the feet in, lean forward into a squat, stand (facing +z)."""
    plan, lying = _start(t, rig, manner, rng=rng)
    parts = np.array([0.06, 0.26, 0.16, 0.20, 0.20]) * rng.uniform(0.9, 1.1, 5)
    begin, sat, drawn, squat, up = np.cumsum(parts) * manner.seconds * min(1.0, 0.93 / parts.sum())
    times = SitTimes(begin=begin, sat=sat, drawn=drawn, squat=squat, up=up)
    feet_z = 0.45 * rig.scale
    _sit_pelvis(plan, rig, manner, lying, times, feet_z)
    _sit_trunk(plan, lying, times, rng=rng)
    _sit_legs(plan, rig, times, feet_z)
    _sit_arms(plan, rig, manner, lying, times, rng=rng)
    lies = 1 - ramp(t, begin, between(begin, sat, 0.35))
    plan.rests = [
        Rest(parts=TRUNK, weight=lies, sink=0.008),
        Rest(parts=(0, 1, 2), weight=(1 - lies) * (1 - ramp(t, drawn, drawn + 0.3)), sink=0.008, radius=0.22),
        Rest(parts=GUARDED, weight=np.ones(len(t)), sink=0.008, guard=True),
    ]
    return _take(plan, manner, begin, up)


def _sit_pelvis(plan: PosePlan, rig: Rig, manner: GetUpManner, lying: LyingPose, times: SitTimes, feet_z: float) -> None:
    """Position and rotation of the pelvis from lying to standing."""
    t = plan.t
    begin, sat, drawn, squat, up = times.begin, times.sat, times.drawn, times.squat, times.up
    stand = standing_height(rig, manner)
    sit_y = lying.height + 0.005
    still = plan.pelvis - [0.0, stand, 0.0]
    plan.pelvis = along(
        t, (begin, (0.0, lying.height, 0.0)), (sat, (0.0, sit_y, 0.02)), (drawn, (0.0, sit_y, 0.03)),
        (between(drawn, squat, 0.15), (0.0, sit_y, 0.05)),
        (between(drawn, squat, 0.6), (-0.02, 0.25 * rig.scale, 0.55 * feet_z)),
        (squat, (0.0, 0.40 * rig.scale, feet_z - 0.13)),
        (up, (0.0, stand, feet_z + 0.03)),
    ) + still * ramp(t, squat, up)[:, None]  # fmt: skip
    standing_turn = plan.turn
    plan.turn = _blend(t, [
        (0.0, 0.0, lying.turn), (begin, sat, ik.lean(-0.38, -0.05)), (sat, drawn, ik.lean(-0.12, -0.06)),
        (drawn - 0.35, between(drawn, squat, 0.6), ik.lean(0.5, 0.0)),
        (between(drawn, squat, 0.5), squat, ik.lean(0.85)), (squat, up, standing_turn),
    ])  # fmt: skip


def _sit_trunk(plan: PosePlan, lying: LyingPose, times: SitTimes, *, rng: np.random.Generator) -> None:
    """Spine and head from lying to standing."""
    t = plan.t
    begin, sat, drawn, squat, up = times.begin, times.sat, times.drawn, times.squat, times.up
    end_spine, end_head = plan.spine.copy(), plan.head.copy()
    curl = along(t, (begin, 0.0), (between(begin, sat, 0.6), 0.75), (sat, 0.45), (drawn, 0.35), (squat, 0.4), (up, 0.0))
    steady = ramp(t, squat, up)[:, None]
    plan.spine = (lying.spine + np.stack([curl, 0 * t, 0.12 * curl], axis=1)) * (1 - steady) + end_spine * steady
    nod = along(t, (begin - 0.2, 0.0), (between(begin, sat, 0.3), 0.55), (sat, -0.1), (drawn, -0.15), (squat, -0.5), (up, 0.0))
    head = lying.head * (1 - ramp(t, begin, sat))[:, None] + np.stack([nod, 0 * t, 0 * t], axis=1)
    plan.head = head * (1 - steady) + end_head * steady + noise(t, rng=rng, amplitude=[0.02, 0.015, 0.05])


def _sit_legs(plan: PosePlan, rig: Rig, times: SitTimes, feet_z: float) -> None:
    """Straight on the floor, then the feet drawn in and planted."""
    t = plan.t
    tipped = np.arctan2(plan.turn[:, 2, 1], plan.turn[:, 1, 1])
    tipped = tipped - tipped[0]
    for index, side in enumerate(SIDES):
        half_hip = 0.5 * rig.hip_width + 0.02
        yaw = SIGN[side] * 0.25
        foot = Foot(
            ground=np.tile([SIGN[side] * half_hip * 1.15, 0.0, feet_z + 0.03 * SIGN[side]], (len(t), 1)),
            yaw=np.full(len(t), yaw),
            pitch=along(t, (times.drawn, 0.0), (between(times.drawn, times.squat, 0.5), 0.12), (times.squat, 0.0)),
            contact=0 * t,
        )  # fmt: skip
        # The thighs stay down while the pelvis comes up: the hips bend as much as it turns.
        still_leg = plan.legs[side][0][2]
        assert isinstance(still_leg, LegAngles)
        knee = along(t, (times.begin, 0.0), (times.sat, 0.55))
        plan.legs[side] = [
            (0.0, 0.0, replace(still_leg, flexion=still_leg.flexion + tipped + 0.5 * knee, knee=still_leg.knee + knee))
        ]
        late = 0.1 * index
        plan.legs[side].append((times.sat - 0.1 + late, times.drawn - 0.1 + late, foot.goal(rig, side)))


def _sit_arms(
    plan: PosePlan, rig: Rig, manner: GetUpManner, lying: LyingPose, times: SitTimes, *, rng: np.random.Generator
) -> None:
    """Hands behind the body, then the left one beside it and the right one forward for balance, then both hang."""
    t = plan.t
    begin, sat, drawn, squat, up = times.begin, times.sat, times.drawn, times.squat, times.up
    steady = ramp(t, squat, up)
    hands = lying_hands("beside", lying, rig, rng=rng, t=t)
    for side in SIDES:
        sign = SIGN[side]
        behind: Goal = Hand(at=(sign * 0.27 * rig.scale, rig.palm + 0.004, -0.26 * rig.scale), pole=(sign * 0.3, 0.1, -1.0),
                            fingers=(sign * 0.8, -0.05, -0.5), palm=(0, -1, 0))  # fmt: skip
        plan.arms[side] = [(0.0, 0.0, hands[side]), (begin, between(begin, sat, 0.6), behind)]
        hang = relaxed(t, manner, rng=rng, flexion=0.8 * window(t, drawn, squat, 0.4) * (1 - steady))
        if side == "left":
            beside: Goal = Hand(at=(0.28 * rig.scale, rig.palm + 0.004, 0.02), pole=(0.6, 0.2, -1.0), fingers=(0.9, -0.05, 0.2),
                                palm=(0, -1, 0))  # fmt: skip
            plan.arms[side] += [
                (between(sat, drawn, 0.4), drawn, beside),
                (squat - 0.3 * (squat - drawn), up - 0.3 * (up - squat), hang),
            ]
        else:
            balance = relaxed(t, manner, rng=rng, flexion=1.0)
            plan.arms[side] += [(sat, drawn, balance), (squat, up - 0.2 * (up - squat), hang)]


def _take(plan: PosePlan, manner: GetUpManner, begin: float, up: float) -> Take:
    return Take(plan=plan, segments=[("lying", begin), ("stand_up", up), ("standing", manner.seconds)],
                caption="A person gets up from the floor.")  # fmt: skip
