"""Sitting down, sitting, standing up from a chair. World frame, metres, radians; motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....geometry import axis_rotation
from . import ik
from .curves import along, noise, ramp, smooth, window
from .goals import ArmAngles, Goal, Hand, LegAngles, Planted, Track
from .manner import Manner, Take, draw_manner, oldness, pick, posture, relaxed, stance_prints, stand_on, standing_height
from .pose import PosePlan, Rest, solve
from .rig import SIDES, Rig

SEAT = (0, 1, 2)
"""Parts that a seat carries."""
GIVE = 0.012
"""Compression of a seat and the body on it, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatManner(Manner):
    """Parameters of sitting down on a chair or a bed's edge."""

    seat: float
    """Height of the seat or bed, metres."""
    recline: float
    """Backward tilt of the seated pelvis, radians."""
    lean: float
    """Forward lean of the trunk between standing and sitting, radians."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChairManner(SeatManner):
    """``side`` is the hand that gestures and the side that the head turns to."""

    hands: str
    """Where the hands rest: ``thighs``, ``lap``, ``seat`` (beside the hips) or ``mixed``."""
    gesture: str
    """While sitting: ``none``, ``face`` (a hand to the face), ``talk`` (a forearm moves) or ``bend`` (forward and back)."""


def draw_seat(rng: np.random.Generator, rig: Rig) -> ChairManner:
    manner = draw_manner(rng, 3.5, 7.5)
    old = oldness(manner["age"])
    return ChairManner(
        **manner, seat=min(float(rng.uniform(0.42, 0.50)), max(0.42, rig.ankle_height + rig.shank + 0.02)),
        recline=float(rng.uniform(0.05, 0.3)),
        lean=float(rng.uniform(0.45, 0.7) + 0.15 * old), hands=pick(rng, thighs=0.5, lap=0.25, seat=0.1, mixed=0.15),
        gesture=pick(rng, none=0.4, face=0.2, talk=0.25, bend=0.15),
    )  # fmt: skip


def seat_pelvis(rig: Rig, seat: float, pitch: float) -> float:
    """Height of the pelvis joint when the buttocks rest on a seat with level thighs, metres."""
    t = np.zeros(1)
    plan = PosePlan(
        t=t, pelvis=np.array([[0.0, seat + 0.1, 0.0]]), turn=ik.lean(np.array([pitch])), spine=np.zeros((1, 3)),
        head=np.zeros((1, 3)), rests=[Rest(parts=SEAT, weight=np.ones(1), height=seat, sink=GIVE, radius=0.22)],
    )  # fmt: skip
    for side in SIDES:
        plan.legs[side] = [(0.0, 0.0, LegAngles(flexion=np.pi / 2 + pitch, knee=np.pi / 2, abduction=0.1, twist=0.0))]
    return float(solve(plan, rig).positions[0, 0, 1])


def seat_place(rig: Rig, pelvis_y: float, shin: float) -> float:
    """Distance of the seated pelvis behind the ankles, metres; ``shin`` is the shank's forward lean, radians."""
    knee_y, knee_z = rig.ankle_height + rig.shank * np.cos(shin), rig.shank * np.sin(shin)
    rise = np.clip(knee_y - (pelvis_y - rig.hip_drop), -0.9 * rig.thigh, 0.9 * rig.thigh)
    return float(np.sqrt(rig.thigh**2 - rise**2) - knee_z)


def hand_at_rest(where: str, rig: Rig, *, rng: np.random.Generator, t: np.ndarray) -> Hand:
    """Goal of a seated person's hand: ``thighs``, ``lap``, ``knees``, or ``seat`` beside the hip."""
    wander = noise(t, rng=rng, amplitude=[0.004, 0.006, 0.001], low=0.1, high=0.5)
    wander[:, 2] = np.abs(wander[:, 2])
    if where == "seat":
        at = np.array([0.17, -0.04, -0.5 * rig.thigh_radius]) + np.array([0.0, 0.0, 0.045]) * rng.random()
        return Hand(at=at + wander, frame="thigh", pole=(0.5, 1.0, 0.0), fingers=(0.3, -1.0, -0.2), palm=(0.0, -0.2, -1.0))
    low, high = {"thighs": (0.46, 0.64), "lap": (0.36, 0.44), "knees": (0.78, 0.86)}[where]
    along_thigh = rng.uniform(low, high)
    across = -0.045 if where == "lap" else rng.uniform(-0.01, 0.03)
    at = np.array([across, -along_thigh * rig.thigh, rig.thigh_radius + rig.palm + 0.004])
    inward = -0.9 if where == "lap" else rng.uniform(-0.3, 0.1)
    return Hand(at=at + wander, frame="thigh", pole=(0.7, 0.8, -0.35), fingers=(inward, -1.0, -0.08), palm=(0.0, 0.0, -1.0))


def resting_hands(manner: ChairManner, rig: Rig, *, rng: np.random.Generator, t: np.ndarray) -> dict[str, Hand]:
    """Goals of both hands of a seated person."""
    places = dict.fromkeys(SIDES, manner.hands)
    if manner.hands == "mixed":
        places = {"left": "thighs", "right": "lap"}
    return {side: hand_at_rest(places[side], rig, rng=rng, t=t) for side in SIDES}


@dataclass(slots=True, kw_only=True)
class SeatPlacement:
    """Where the seated body and the seat are."""

    pelvis: np.ndarray
    """Of the seated body, world (3,)."""
    center: tuple[float, float]
    """World (x, z) of the seat's middle."""
    pitch: float
    """Of the seated pelvis, radians."""


def set_chair(rig: Rig, manner: SeatManner, shin: float) -> SeatPlacement:
    """Place the chair so that the knees are above feet at z = 0; ``shin`` as in ``seat_place``."""
    pitch = -manner.recline + 0.1 * manner.old
    y = seat_pelvis(rig, manner.seat, pitch)
    z = -seat_place(rig, y, shin)
    return SeatPlacement(pelvis=np.array([0.0, y, z]), center=(0.0, z + 0.07), pitch=pitch)


def sit_stand(
    plan: PosePlan, rig: Rig, manner: SeatManner, chair: SeatPlacement, sit: np.ndarray, leaning: np.ndarray,
    *, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Change a standing plan to move between standing and sitting; the trunk's lean balances the pelvis.

    Args:
        sit: 0 standing, 1 sitting (t,).
        leaning: Share of the manner's ``lean`` (t,).
    """
    t = plan.t
    height = standing_height(rig, manner)
    base = plan.pelvis - np.array([0.0, height, 0.0])
    # The hips move back before they sink: an arc about ankles and knees, not a straight line.
    back = np.sin(np.clip(sit, 0, 1) * np.pi / 2)
    down = 1.0 - np.cos(np.clip(sit, 0, 1) * np.pi / 2) ** 1.15
    down = 0.55 * down + 0.45 * sit
    plan.pelvis = (
        np.stack([0 * t, height + (chair.pelvis[1] - height) * down, chair.pelvis[2] * back], axis=1)
        + base * (1 - 0.8 * sit)[:, None]
    )
    wobble = noise(t, rng=rng, amplitude=[0.012, 0.012, 0.02], low=0.1, high=0.5) * manner.restless
    upright = 0.02 + 0.10 * manner.old
    pitch = upright * (1 - sit) + chair.pitch * sit + manner.lean * 0.8 * leaning
    plan.turn = ik.lean(pitch + wobble[:, 0] * (1 - 0.6 * sit), wobble[:, 1] * (1 - 0.6 * sit), wobble[:, 2])
    plan.spine[:, 0] += 0.5 * manner.lean * leaning + (0.10 + 0.7 * manner.recline) * sit
    plan.head[:, 0] += -0.75 * manner.lean * leaning - 0.25 * manner.recline * sit
    touch = smooth(np.clip((sit - 0.93) / 0.07, 0.0, 1.0), 1.0)
    plan.rests.append(Rest(parts=SEAT, weight=touch, height=manner.seat, sink=GIVE, radius=0.22))
    plan.rests.append(Rest(parts=SEAT, weight=(sit > 0.6) * 1.0, height=manner.seat, sink=GIVE, radius=0.22, guard=True))


def _take(plan: PosePlan, manner: SeatManner, chair: SeatPlacement, segments: list[tuple[str, float]]) -> Take:
    return Take(plan=plan, segments=segments, support="chair", support_height=manner.seat, support_center=chair.center)


def act_sit_down(t: np.ndarray, rig: Rig, manner: ChairManner, *, rng: np.random.Generator) -> Take:
    """Stand, lean forward, sit down, bring the hands to rest."""
    seconds = manner.seconds
    start = rng.uniform(0.08, 0.16) * seconds
    lasting = np.clip((1.3 + 0.9 * manner.old) * rng.uniform(0.85, 1.2), 0.9, 0.62 * seconds)
    end = start + lasting
    sit = ramp(t, start + 0.12 * lasting, end)
    leaning = along(t, (start, 0.0), (start + 0.5 * lasting, 1.0), (start + 0.72 * lasting, 0.95), (end + 0.3 * lasting, 0.0))
    prints = stance_prints(rig, manner, rng=rng, back=0.0)
    chair = set_chair(rig, manner, rng.uniform(0.02, 0.14))
    plan = posture(t, rig, manner, rng=rng)
    sit_stand(plan, rig, manner, chair, sit, leaning, rng=rng)
    stand_on(plan, rig, prints)
    glance = rng.uniform(0.0, 0.7) * window(t, start - 0.2, start + 0.3 * lasting, 0.35)
    plan.head[:, 2] += glance
    plan.spine[:, 2] += 0.3 * glance
    hands = resting_hands(manner, rig, rng=rng, t=t)
    pushing = manner.old > 0.4 and rng.random() < 0.6
    for side in SIDES:
        forward = relaxed(t, manner, rng=rng, flexion=(0.25 if pushing else 0.55) * leaning)
        track: Track = [(0.0, 0.0, forward)]
        if pushing:
            track.append((start, start + 0.4 * lasting, hand_at_rest("knees", rig, rng=rng, t=t)))
        late = rng.uniform(-0.1, 0.15)
        track.append((start + (0.74 + late) * lasting, end + (0.38 + late) * lasting, hands[side]))
        plan.arms[side] = track
    return _take(plan, manner, chair, [("standing", start), ("sit_down", end), ("sitting", seconds)])


def act_stand_up(t: np.ndarray, rig: Rig, manner: ChairManner, *, rng: np.random.Generator) -> Take:
    """Lean forward, rise, straighten; the old push on their thighs."""
    seconds = manner.seconds
    start = rng.uniform(0.15, 0.35) * seconds
    lasting = np.clip((1.4 + 1.1 * manner.old) * rng.uniform(0.85, 1.2), 1.0, 0.55 * seconds)
    end = start + lasting
    sit = 1.0 - ramp(t, start + 0.22 * lasting, end)
    leaning = along(t, (start, 0.0), (start + 0.38 * lasting, 1.1), (start + 0.52 * lasting, 1.0), (end, 0.0))
    prints = stance_prints(rig, manner, rng=rng, back=0.0)
    chair = set_chair(rig, manner, rng.uniform(0.08, 0.2))
    plan = posture(t, rig, manner, rng=rng)
    sit_stand(plan, rig, manner, chair, sit, leaning, rng=rng)
    stand_on(plan, rig, prints)
    hands = resting_hands(manner, rig, rng=rng, t=t)
    pushing = manner.old > 0.3 or rng.random() < 0.4
    for side in SIDES:
        hanging = relaxed(t, manner, rng=rng, flexion=0.4 * leaning)
        plan.arms[side] = [(0.0, 0.0, hands[side])]
        if pushing:
            plan.arms[side].append((start - 0.1, start + 0.34 * lasting, hand_at_rest("knees", rig, rng=rng, t=t)))
        leave = (0.48 if pushing else -0.02) + rng.uniform(0.0, 0.08)
        plan.arms[side].append((start + leave * lasting, start + (leave + 0.42) * lasting, hanging))
    take = _take(plan, manner, chair, [("sitting", start), ("stand_up", end), ("standing", seconds)])
    return _shifted(take, -chair.pelvis[2])


def act_sit(t: np.ndarray, rig: Rig, manner: ChairManner, *, rng: np.random.Generator) -> Take:
    """Sit with idle motion, look around, and perhaps a gesture."""
    chair = set_chair(rig, manner, rng.uniform(-0.12, 0.18))
    plan = posture(t, rig, manner, rng=rng)
    sit_stand(plan, rig, manner, chair, np.ones(len(t)), np.zeros(len(t)), rng=rng)
    prints = stance_prints(rig, manner, rng=rng, back=0.0)
    stand_on(plan, rig, prints)
    plan.head += noise(t, rng=rng, amplitude=[0.06, 0.03, 0.22], low=0.07, high=0.45) * manner.restless
    plan.spine += noise(t, rng=rng, amplitude=[0.04, 0.03, 0.05], low=0.07, high=0.4) * manner.restless
    hands = resting_hands(manner, rig, rng=rng, t=t)
    for side in SIDES:
        plan.arms[side] = [(0.0, 0.0, hands[side])]
    begin = rng.uniform(0.15, 0.4) * manner.seconds
    finish = min(begin + rng.uniform(1.2, 2.5), manner.seconds - 0.5)
    if manner.gesture == "bend":
        bent = window(t, begin + 0.4, finish, 0.8) * rng.uniform(0.35, 0.6)
        plan.spine[:, 0] += 0.5 * bent
        plan.turn = plan.turn @ axis_rotation("x", 0.6 * bent)
        plan.head[:, 0] -= 0.3 * bent
    elif manner.gesture != "none":
        plan.arms["left"] += [(begin, begin + 0.7, _gesture(manner, rig, rng=rng, t=t)), (finish, finish + 0.8, hands["left"])]
    return _shifted(_take(plan, manner, chair, [("sitting", manner.seconds)]), -chair.pelvis[2])


def _gesture(manner: ChairManner, rig: Rig, *, rng: np.random.Generator, t: np.ndarray) -> Goal:
    if manner.gesture == "face":
        wander = noise(t, rng=rng, amplitude=[0.012, 0.015, 0.004], low=0.5, high=1.6)
        at = np.array([0.07, -0.10, 0.10]) * rig.scale + wander
        return Hand(at=at, frame="head", pole=(0.7, -1.0, 0.3), fingers=(-0.45, 1.0, -0.1), palm=(-0.5, 0.0, -0.9))
    beat = noise(t, rng=rng, amplitude=[0.10, 0.06, 0.2, 0.18], low=0.5, high=1.8) * manner.restless
    return ArmAngles(
        flexion=0.45 + beat[:, 0], abduction=0.22 + beat[:, 1], twist=0.1 + beat[:, 2], elbow=1.45 + beat[:, 3], wrist=0.1
    )


def _shifted(take: Take, dz: float) -> Take:
    """Shift a take, with all that its limbs reach for in the world, along z."""
    move = np.array([0.0, 0.0, dz])
    take.plan.pelvis = take.plan.pelvis + move
    tracks = [*take.plan.legs.values(), *take.plan.arms.values()]
    # A track may have the same goal twice.
    for goal in {id(goal): goal for track in tracks for _, _, goal in track}.values():
        if isinstance(goal, Planted):
            goal.ankle = goal.ankle + move
        elif isinstance(goal, Hand) and goal.frame == "world":
            goal.at = goal.at + move
    if take.support_center is not None:
        take.support_center = (take.support_center[0], take.support_center[1] + dz)
    return take
