"""Actions near the floor: kneel, crawl. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....geometry import axis_rotation
from . import ik
from .curves import noise, ramp, smooth, window
from .gait import Foot, Footprint, step_feet
from .goals import Hand, Knelt, collar
from .manner import FLESH, Manner, Take, along, draw_manner, oldness, pick, posture, relaxed, stance_prints, standing_height
from .pose import SPINE_SHARE, PosePlan, Rest
from .rig import SIDES, SIGN, Rig

TUCKED = 1.15
"""Pitch of a kneeling person's foot on its toes, radians."""


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


@dataclass(slots=True, kw_only=True)
class KneelGeometry:
    """Places of knee, hip and ankle with the knee on the floor and the foot on its toes, metres."""

    ankle_y: float
    knee_ahead: float
    """Distance of the knee ahead of the ankle."""
    hip_y: float


def kneel_geometry(rig: Rig, hip_ahead: float) -> KneelGeometry:
    """Kneeling with the hip ``hip_ahead`` metres ahead of the knee."""
    ball = rig.ball["left"][1:]
    ankle = ball - np.array(
        [np.cos(TUCKED) * ball[0] - np.sin(TUCKED) * ball[1], np.sin(TUCKED) * ball[0] + np.cos(TUCKED) * ball[1]]
    )
    ankle_y = rig.ankle_height + float(ankle[0])
    rise = ankle_y - rig.knee_radius
    return KneelGeometry(
        ankle_y=ankle_y, knee_ahead=float(np.sqrt(rig.shank**2 - rise**2)),
        hip_y=rig.knee_radius + float(np.sqrt(rig.thigh**2 - hip_ahead**2)),
    )  # fmt: skip


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
    back = kneel_geometry(rig, 0.02).knee_ahead + ankle_shift(rig) + rng.uniform(0.12, 0.24) * rig.scale
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
    near = kneel_geometry(rig, 0.02)
    knee_z = toes_z + ankle_shift(rig) + near.knee_ahead
    stand = standing_height(rig, manner)
    down_y, down_z = near.hip_y + rig.hip_drop, knee_z + 0.02 + (rig.rest[0, 2] - rig.rest[1, 2])
    still = plan.pelvis - [0.0, stand, 0.0]
    seat_y, seat_back = _heel_seat(rig)
    on_heels = manner.ends == "heels"
    settled = second + 1.0 * times.slow
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
        np.stack([0.02 * ramp(t, begin, stepped) * (1 - settle) * -1.0, y, z], axis=1) + still * (1 - 0.85 * settle)[:, None]
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


def ankle_shift(rig: Rig) -> float:
    """Distance the ankle moves forward when the foot pitches to ``TUCKED`` about its toes, metres."""
    y, z = rig.ball["left"][1:]
    return float(z - (np.sin(TUCKED) * y + np.cos(TUCKED) * z))


def _heel_seat(rig: Rig) -> tuple[float, float]:
    """Height of the pelvis, and its distance behind the knees, of a person sitting back on the heels."""
    angle = np.radians(46.0)
    return rig.knee_radius + rig.thigh * np.sin(angle) + rig.hip_drop, float(rig.thigh * np.cos(angle))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlManner(Manner):
    """``side`` is the hand that moves first."""

    stride: float
    """Length of a knee's step, metres."""
    cycle: float
    """Seconds of a full cycle (both knees)."""
    look: float
    """Extension of the head, radians."""


def draw_crawl(rng: np.random.Generator, rig: Rig) -> CrawlManner:
    manner = draw_manner(rng, 3.0, 6.5)
    old = oldness(manner["age"])
    return CrawlManner(
        **manner, stride=float(rng.uniform(0.26, 0.42) * (1 - 0.25 * old)),
        cycle=float(rng.uniform(1.1, 1.8) * (1 + 0.4 * old)),
        look=float(rng.uniform(0.2, 0.7)),
    )  # fmt: skip


def crawl_trunk(rig: Rig, bend: float) -> tuple[float, float]:
    """Pitch of the pelvis (radians) at which, with the knees under the hips, the arms are almost straight; and the distance of
    the shoulders ahead of the hips (metres). ``bend`` is that of the spine, radians."""
    hip = rig.knee_radius + 0.985 * rig.thigh
    wanted = rig.palm + 0.95 * (rig.upper_arm + rig.forearm)
    tilt, shoulder = 1.5, np.zeros(3)
    for _ in range(8):
        rotations = np.broadcast_to(np.eye(3), (1, 24, 3, 3)).copy()
        rotations[0, 0] = ik.lean(tilt)
        for joint, share in zip((3, 6, 9), SPINE_SHARE, strict=True):
            rotations[0, joint] = ik.lean(bend * share)
        rotations[0, 13] = collar("left", np.array([[0.0, -0.2, 1.0]]))[0]
        positions, _ = ik.forward(rotations, rig.rest)
        shoulder = positions[0, 16] - positions[0, 1]
        tilt -= 0.9 * (wanted - hip - shoulder[1]) / 0.5
    return float(np.clip(tilt, 0.9, 1.8)), float(shoulder[2])


def act_crawl(t: np.ndarray, rig: Rig, manner: CrawlManner, *, rng: np.random.Generator) -> Take:
    """Crawl on palms and knees; a hand and the opposite knee move together."""
    plan = posture(t, rig, manner, rng=rng)
    stride, cycle = manner.stride * rig.scale, manner.cycle
    speed = stride / cycle
    offset = -rng.uniform(0.0, 1.0) * cycle
    bend = 0.35 * manner.stoop - 0.05
    tilt, reach = crawl_trunk(rig, bend)
    half_knee, half_hand = 0.5 * rig.hip_width, 0.5 * (rig.rest[16, 0] - rig.rest[17, 0]) + 0.01
    knees: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    hands: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    swing = 0.36 * cycle
    for side in SIDES:
        # The left hand moves with the right knee.
        for prints, phase, ahead, wide in (
            (knees, 0.0 if side == "right" else 0.5, 0.0, half_knee),
            (hands, 0.06 if side == "left" else 0.56, reach, half_hand)
        ):  # fmt: skip
            k = -2
            while True:
                off = offset + (k + phase) * cycle
                on = off + swing
                jitter = 0.02 * rng.standard_normal(2) * rig.scale if ahead else 0.008 * rng.standard_normal(2)
                # In the middle of its stance a knee is under the hip, a hand under the shoulder.
                middle = on + 0.5 * (cycle - swing)
                prints[side].append(Footprint(
                    on=on, off=off + cycle, x=SIGN[side] * wide + jitter[0], z=speed * middle + ahead + jitter[1], yaw=0.0
                ))  # fmt: skip
                if off > manner.seconds:
                    break
                k += 1
    knee = step_feet(t, knees, clearance=0.045, roll=0.0)
    hand = step_feet(t, hands, clearance=0.07, roll=0.0)
    hip_rise = rig.knee_radius + rig.thigh * 0.985
    pelvis_up = hip_rise + rig.hip_drop * np.cos(tilt)
    difference = knee["left"].ground[:, 2] - knee["right"].ground[:, 2]
    hands_apart = hand["left"].ground[:, 2] - hand["right"].ground[:, 2]
    sway = smooth((knee["left"].contact - knee["right"].contact), 0.12 * cycle / max(t[1] - t[0], 1e-3)) * 0.022
    wander = noise(t, rng=rng, amplitude=[0.006, 0.003, 0.006], low=0.1, high=0.6)
    plan.pelvis = np.stack([sway, 0 * t + pelvis_up, speed * t + rig.hip_drop * np.sin(tilt)], axis=1) + wander
    shake = noise(t, rng=rng, amplitude=[0.02, 0.02, 0.02], low=0.2, high=0.9)
    yaw = -0.20 * difference
    plan.turn = (
        axis_rotation("y", yaw + shake[:, 2])
        @ axis_rotation("x", tilt + shake[:, 0])
        @ axis_rotation("z", 0.3 * sway / 0.03 * 0.2)
    )
    plan.spine = np.stack(
        [0.04 * shake[:, 0] + 0 * t + bend, shake[:, 1] - 0.25 * (yaw + 0.35 * hands_apart), 0.2 * hands_apart], axis=1
    )
    plan.head = np.stack([-manner.look - bend + noise(t, rng=rng, amplitude=0.08, low=0.1, high=0.6), 0 * t,
                          noise(t, rng=rng, amplitude=0.12, low=0.1, high=0.5)], axis=1)  # fmt: skip
    for side in SIDES:
        place = knee[side].ground + [0.0, rig.knee_radius, 0.0]
        splay = SIGN[side] * 0.03
        ankle_y = 0.085 + 0.02 * (1 - knee[side].contact)
        # The foot stays low behind the knee while the knee swings forward.
        ankle = place + np.stack(
            [0 * t + splay - 0.0, ankle_y - place[:, 1] + 0.6 * knee[side].ground[:, 1], 0 * t - rig.shank], axis=1
        )
        plan.legs[side] = [(0.0, 0.0, Knelt(knee=place, ankle=ankle, bend=1.0))]
        wrist = hand[side].ground + [0.0, rig.palm + 0.004, 0.0]
        turned = SIGN[side] * -0.12
        plan.arms[side] = [(0.0, 0.0, Hand(
            at=wrist, pole=(SIGN[side] * 0.45, 0.2, -1.0), fingers=(turned, -0.06, 1.0), palm=(0.0, -1.0, 0.0)
        ))]  # fmt: skip
    plan.rests = [Rest(parts=(4, 5), weight=np.ones(len(t)), sink=0.006)]
    return Take(plan=plan, segments=[("crawl", manner.seconds)])
