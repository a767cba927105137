"""Lying down on a bed by way of sitting on its edge, and getting up from it in reverse. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....geometry import axis_rotation
from . import ik
from .curves import along, noise, ramp, smooth, window
from .goals import Hand, LegAngles, Track
from .lying import BED_HALF, MATTRESS, TRUNK, LyingPose, lying_hands, restless, settle_lying
from .manner import Take, draw_manner, oldness, pick, posture, relaxed, stance_prints, stand_on
from .pose import Bed, PosePlan, Rest
from .rig import SIDES, Rig
from .seated import SeatManner, SeatPlacement, hand_at_rest, seat_pelvis, seat_place, sit_stand


@dataclass(frozen=True, slots=True, kw_only=True)
class BedManner(SeatManner):
    """``side`` is where the head will lie, seen from sitting on the edge."""

    hands: str
    """Hands when lying: ``beside`` the body, on the ``belly``, or ``one`` of each."""


def draw_bed(rng: np.random.Generator, rig: Rig) -> BedManner:
    manner = draw_manner(rng, 5.0, 9.5)
    height = min(float(rng.uniform(0.45, 0.60)), max(0.45, rig.ankle_height + rig.shank + 0.04))
    old = oldness(manner["age"])
    return BedManner(
        **manner, seat=height, recline=float(rng.uniform(0.0, 0.12)), lean=float(rng.uniform(0.4, 0.65) + 0.15 * old),
        hands=pick(rng, beside=0.5, belly=0.3, one=0.2),
    )  # fmt: skip


def act_lie_down(t: np.ndarray, rig: Rig, manner: BedManner, *, rng: np.random.Generator) -> Take:
    """Sit on the edge, lean on one arm, swing the legs up, recline."""
    return _bed(t, rig, manner, rng=rng)


def act_get_up_from_bed(t: np.ndarray, rig: Rig, manner: BedManner, *, rng: np.random.Generator) -> Take:
    """Lying down in reverse: raise the trunk over one arm, swing the legs out, sit, stand."""
    take = _bed(manner.seconds - t, rig, manner, rng=rng)
    ends = [0.0] + [end for _, end in take.segments[:-1]]
    names = {"lie_down": "stand_up", "sit_down": "stand_up"}
    segments: list[tuple[str, float]] = []
    for (label, _), start in zip(reversed(take.segments), reversed(ends), strict=True):
        label = names.get(label, label)
        if segments and segments[-1][0] == label:
            segments.pop()
        segments.append((label, manner.seconds - start))
    take.segments = segments
    return take


@dataclass(frozen=True, slots=True, kw_only=True)
class BedTimes:
    """Seconds at which each stage of lying down ends."""

    rise: float
    """The person starts to sit down."""
    seated: float
    swing: float
    """The legs start to swing up."""
    lain: float

    @property
    def duration(self) -> float:
        """Of the swing from sitting to lying, seconds."""
        return self.lain - self.swing

    def at(self, share: float) -> float:
        """The second after a share of the swing."""
        return self.swing + share * self.duration


def _bed(t: np.ndarray, rig: Rig, manner: BedManner, *, rng: np.random.Generator) -> Take:
    """Stand in front of the bed at t = 0, lie on it at the end."""
    seconds = manner.seconds
    shares = [rng.uniform(0.05, 0.09), 0.24, rng.uniform(0.02, 0.08), 0.34 + 0.05 * manner.old]
    rise, seated, swing, lain = np.cumsum(shares) * seconds
    times = BedTimes(rise=rise, seated=seated, swing=swing, lain=lain)
    sit = ramp(t, rise + 0.1 * (seated - rise), seated)
    leaning = along(t, (rise, 0.0), (0.5 * (rise + seated), 1.0), (rise + 0.75 * (seated - rise), 0.9), (seated + 0.3, 0.0))
    pitch = -manner.recline
    pelvis_y = seat_pelvis(rig, manner.seat, pitch)
    z = -seat_place(rig, pelvis_y, 0.1)
    seat = SeatPlacement(pelvis=np.array([0.0, pelvis_y, z]), center=(0.0, z), pitch=pitch)
    plan = posture(t, rig, manner, rng=rng)
    sit_stand(plan, rig, manner, seat, sit, leaning, rng=rng)
    stand_on(plan, rig, stance_prints(rig, manner, rng=rng, back=0.0))
    lying = settle_lying(rig, pose="supine", knee=0.0, pillow=0.05, stoop=manner.stoop)
    laid = ramp(t, times.at(0.45), lain)
    moved = smooth(ramp(t, swing - 0.1, swing + 0.1), 1.0)
    _swing_trunk(plan, lying, times, pitch, laid, moved)
    target = np.array([0.0, manner.seat + lying.height, z - rng.uniform(0.10, 0.18)])
    _swing_pelvis(plan, times, target)
    _swing_spine(plan, lying, times, laid, quiet=0.5 * manner.restless, rng=rng)
    _swing_legs(plan, lying, times, quiet=0.5 * manner.restless, rng=rng)
    prop = np.array([0.30 * rig.scale, manner.seat + rig.palm, z - 0.02])
    _swing_arms(plan, rig, manner, lying, times, (leaning, prop), rng=rng)
    # The seat rule of sit_stand ends where the swing begins; from then on the whole back counts.
    for rule in plan.rests:
        if rule.height > 0:
            rule.weight = rule.weight * (1 - moved)
    plan.rests.append(Rest(parts=(0, 1, 2), weight=moved * (1 - laid), height=manner.seat, sink=MATTRESS, radius=0.2))
    plan.rests.append(Rest(parts=TRUNK, weight=laid, height=manner.seat, sink=MATTRESS))
    for side in SIDES:
        plan.reach[side] = plan.reach[side] * (1 - ramp(t, swing - 0.1, swing + 0.1))
    segments = [("standing", rise), ("sit_down", swing), ("lie_down", min(seconds, lain)), ("lying", seconds)]
    center = (-0.12 * rig.scale, z + 0.55 * rig.thigh - BED_HALF)
    plan.bed = Bed(height=manner.seat, center=center, half=(1.0, BED_HALF))
    return Take(
        plan=plan, segments=segments, support="bed", support_height=manner.seat, support_center=center, support_yaw=np.pi / 2
    )


def _swing_trunk(plan: PosePlan, lying: LyingPose, times: BedTimes, pitch: float, laid: np.ndarray, moved: np.ndarray) -> None:
    """Rotation of the pelvis: the trunk turns and leans on the near arm first, the legs come up while it goes back."""
    t, swing, lain = plan.t, times.swing, times.lain
    yaw = -np.pi / 2 * ramp(t, times.at(0.05), times.at(0.85))
    back = along(t, (swing, 0.0), (times.at(0.30), -0.35), (times.at(0.62), -0.85), (lain, 0.0))
    roll = along(t, (swing, 0.0), (times.at(0.35), -0.42), (times.at(0.7), -0.25), (lain, 0.0))
    upright = axis_rotation("y", yaw) @ axis_rotation("x", pitch + back) @ axis_rotation("z", roll)
    down = axis_rotation("y", yaw) @ np.broadcast_to(lying.turn, (len(t), 3, 3))
    plan.turn = ik.slerp(plan.turn, ik.slerp(upright, down, laid), moved)


def _swing_pelvis(plan: PosePlan, times: BedTimes, target: np.ndarray) -> None:
    """Move the pelvis to ``target`` (3,), a little lifted on the way."""
    t = plan.t
    path = ramp(t, times.swing, times.lain)[:, None]
    plan.pelvis = plan.pelvis * (1 - path) + np.tile(target, (len(t), 1)) * path
    plan.pelvis[:, 1] += 0.03 * window(t, times.at(0.3), times.at(0.6), 0.3)


def _swing_spine(
    plan: PosePlan, lying: LyingPose, times: BedTimes, laid: np.ndarray, *, quiet: float, rng: np.random.Generator
) -> None:
    """Bend spine and head forward on the way, then lie."""
    t, duration = plan.t, times.duration
    plan.spine = plan.spine * (1 - laid)[:, None] + lying.spine * laid[:, None]
    plan.spine[:, 0] += 0.35 * window(t, times.at(0.3), times.at(0.6), 0.3 * duration)
    head = lying.head + noise(t, rng=rng, amplitude=[0.01, 0.02, 0.18], low=0.06, high=0.35) * quiet
    plan.head = plan.head * (1 - laid)[:, None] + head * laid[:, None]
    plan.head[:, 0] += 0.25 * window(t, times.at(0.4), times.at(0.7), 0.25 * duration)


def _swing_legs(plan: PosePlan, lying: LyingPose, times: BedTimes, *, quiet: float, rng: np.random.Generator) -> None:
    """Lift the legs one after the other, then stretch them."""
    swing, lain, duration = times.swing, times.lain, times.duration
    for index, side in enumerate(("right", "left") if rng.random() < 0.7 else ("left", "right")):
        late = 0.08 * index * duration
        lifted = LegAngles(flexion=1.45 - 0.1 * index, knee=0.85, abduction=0.04, twist=0.0, ankle=0.2)
        plan.legs[side] += [
            (swing - 0.05 * duration + late, swing + 0.36 * duration + late, lifted),
            (times.at(0.5) + late, lain - 0.05 * duration + late, restless(lying.legs[side], plan.t, rng=rng, quiet=quiet)),
        ]


def _swing_arms(
    plan: PosePlan, rig: Rig, manner: BedManner, lying: LyingPose, times: BedTimes, support: tuple[np.ndarray, np.ndarray],
    *, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Hands to the knees, the left one to the mattress, then both where they rest while lying.

    Args:
        support: The trunk's lean while sitting down (t,), and where the left hand props the trunk up, world (3,).
    """
    t, (leaning, prop) = plan.t, support
    rise, seated, swing, lain = times.rise, times.seated, times.swing, times.lain
    hands = lying_hands(manner.hands, lying, rig, rng=rng, t=t)
    prop_hand = Hand(at=prop, pole=(0.4, 0.1, -0.9), fingers=(0.8, -0.1, -0.3), palm=(0.0, -1.0, 0.0))
    for side in SIDES:
        hanging = relaxed(t, manner, rng=rng, flexion=0.5 * leaning)
        rest = hand_at_rest("thighs", rig, rng=rng, t=t)
        # Hands go to the knees early: hanging, they would dip into the mattress.
        knees = hand_at_rest("knees", rig, rng=rng, t=t)
        lasting = seated - rise
        track: Track = [
            (0.0, 0.0, hanging),
            (rise + 0.05 * lasting, rise + 0.5 * lasting, knees), (rise + 0.8 * lasting, seated + 0.2, rest)
        ]  # fmt: skip
        if side == "left":
            track.append((swing - 0.4, times.at(0.25), prop_hand))
            track.append((times.at(0.62), lain, hands[side]))
        else:
            track.append((times.at(0.45), lain + 0.2, hands[side]))
        plan.arms[side] = track
