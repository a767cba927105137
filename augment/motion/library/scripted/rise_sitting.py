"""Getting up from the floor over sitting and squatting. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import ik
from .curves import along, between, noise, ramp, window
from .gait import Foot
from .goals import Hand, LegAngles, follow_turns
from .lying import GUARDED, TRUNK, LyingPose, lying_hands, start_lying
from .manner import Manner, relaxed, stage_ends, standing_height
from .pose import PosePlan, Rest
from .rig import SIDES, SIGN, Rig


@dataclass(frozen=True, slots=True)
class SittingTimes:
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


def rise_sitting(
    t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator, times: SittingTimes | None = None
) -> tuple[PosePlan, float, float]:
    """Supine, sit up over the hands, draw the feet in, lean forward into a squat, stand (facing +z).

    Args:
        t: Seconds.
        rig: The body.
        manner: The person's.
        rng: For the rest.
        times: When the stages end; drawn if None.
    Returns:
        The plan, and the seconds at which the person starts to move and stands.
    """
    plan, lying = start_lying(t, rig, manner, rng=rng)
    times = times or SittingTimes(*stage_ends([0.06, 0.26, 0.16, 0.20, 0.20], manner.seconds, rng=rng))
    begin, sat, drawn, up = times.begin, times.sat, times.drawn, times.up
    feet_z = 0.45 * rig.scale
    _pelvis(plan, rig, manner, lying, times, feet_z)
    _trunk(plan, lying, times, rng=rng)
    _legs(plan, rig, times, feet_z)
    _arms(plan, rig, manner, lying, times, rng=rng)
    lies = 1 - ramp(t, begin, between(begin, sat, 0.35))
    plan.rests = [
        Rest(parts=TRUNK, weight=lies, sink=0.008),
        Rest(parts=(0, 1, 2), weight=(1 - lies) * (1 - ramp(t, drawn, drawn + 0.3)), sink=0.008, radius=0.22),
        Rest(parts=GUARDED, weight=np.ones(len(t)), sink=0.008, guard=True),
    ]
    return plan, begin, up


def _pelvis(plan: PosePlan, rig: Rig, manner: Manner, lying: LyingPose, times: SittingTimes, feet_z: float) -> None:
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
    plan.turn = follow_turns([
        (0.0, 0.0, lying.turn), (begin, sat, ik.lean(-0.38, -0.05)), (sat, drawn, ik.lean(-0.12, -0.06)),
        (drawn - 0.35, between(drawn, squat, 0.6), ik.lean(0.5, 0.0)),
        (between(drawn, squat, 0.5), squat, ik.lean(0.85)), (squat, up, standing_turn),
    ], t)  # fmt: skip


def _trunk(plan: PosePlan, lying: LyingPose, times: SittingTimes, *, rng: np.random.Generator) -> None:
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


def _legs(plan: PosePlan, rig: Rig, times: SittingTimes, feet_z: float) -> None:
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


def _arms(plan: PosePlan, rig: Rig, manner: Manner, lying: LyingPose, times: SittingTimes, *, rng: np.random.Generator) -> None:
    """Hands behind the body, then the left one beside it and the right one forward for balance, then both hang."""
    t = plan.t
    begin, sat, drawn, squat, up = times.begin, times.sat, times.drawn, times.squat, times.up
    steady = ramp(t, squat, up)
    hands = lying_hands("beside", lying, rig, rng=rng, t=t)
    for side in SIDES:
        sign = SIGN[side]
        behind = Hand(at=(sign * 0.27 * rig.scale, rig.palm + 0.004, -0.26 * rig.scale), pole=(sign * 0.3, 0.1, -1.0),
                            fingers=(sign * 0.8, -0.05, -0.5), palm=(0, -1, 0))  # fmt: skip
        plan.arms[side] = [(0.0, 0.0, hands[side]), (begin, between(begin, sat, 0.6), behind)]
        hang = relaxed(t, manner, rng=rng, flexion=0.8 * window(t, drawn, squat, 0.4) * (1 - steady))
        if side == "left":
            beside = Hand(at=(0.28 * rig.scale, rig.palm + 0.004, 0.02), pole=(0.6, 0.2, -1.0), fingers=(0.9, -0.05, 0.2),
                                palm=(0, -1, 0))  # fmt: skip
            plan.arms[side] += [
                (between(sat, drawn, 0.4), drawn, beside),
                (squat - 0.3 * (squat - drawn), up - 0.3 * (up - squat), hang),
            ]
        else:
            balance = relaxed(t, manner, rng=rng, flexion=1.0)
            plan.arms[side] += [(sat, drawn, balance), (squat, up - 0.2 * (up - squat), hang)]
