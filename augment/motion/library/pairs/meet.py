"""Two people who face each other: they shake hands, or one hands something over. Motions are for ``left``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..scripted.curves import noise, window
from ..scripted.goals import ArmAngles, Track
from ..scripted.manner import Manner, Take, pick, posture, relaxed, stance_prints, stand_on
from ..scripted.pose import solve
from ..scripted.rig import ARM, SIGN, Rig
from .duo import Duo, PairManner, Place, Player, Touch, arm_length, draw_people, hand_goal, shoulder_height, walk_up

Rigs = tuple[Rig, Rig]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetManner(PairManner):
    """``side`` is the hand that the first person holds out."""

    walks: bool
    """The second person walks up; otherwise both stand from the start."""
    stretch: float
    """How far the arms are stretched out, share of their length."""
    lean: float
    """Lean towards each other, radians."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShakeManner(MeetManner):
    """Parameters of shaking hands."""

    shakes: float
    """Times up and down."""
    pace: float
    """Times a second."""
    swing: float
    """Half the way up and down, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverManner(MeetManner):
    """Parameters of handing over something small."""

    way: str
    """``down`` (put into the open hand) or ``up`` (taken from the open hand)."""
    cross: bool
    """The second person takes it with the other hand, the one that is nearer."""
    hold: float
    """Seconds for which the hands stay together."""


def _draw_meeting(rng: np.random.Generator, low: float, high: float) -> dict[str, Any]:
    walks = bool(rng.random() < 0.45)
    people = draw_people(rng, low + 1.2 * walks, high + 1.5 * walks, patient=bool(rng.random() < 0.6))
    return people | {"walks": walks, "stretch": float(rng.uniform(0.8, 0.93)), "lean": float(rng.uniform(0.02, 0.14))}


def draw_shake_hands(rng: np.random.Generator, rigs: Rigs) -> ShakeManner:
    shared: dict[str, Any] = _draw_meeting(rng, 3.2, 5.5) | {"side": "right"}
    return ShakeManner(
        **shared, shakes=float(rng.integers(2, 5)), pace=float(rng.uniform(1.6, 2.6)), swing=float(rng.uniform(0.012, 0.04))
    )


def draw_hand_over(rng: np.random.Generator, rigs: Rigs) -> HandOverManner:
    return HandOverManner(
        **_draw_meeting(rng, 3.0, 5.5), way=pick(rng, down=0.5, up=0.5), cross=bool(rng.random() < 0.4),
        hold=float(rng.uniform(0.25, 0.9)),
    )  # fmt: skip


def act_shake_hands(t: np.ndarray, rigs: Rigs, manner: ShakeManner, *, rng: np.random.Generator) -> Duo:
    """Hold out the same hand, palms to each other, shake, let go."""
    lasting = manner.shakes / manner.pace
    meeting = _together(t, rigs, manner, lasting, rng=rng)
    meet, part = meeting.meet, meeting.part
    shaking = window(t, meet, part - 0.15, 0.12)
    at = meeting.at + np.outer(manner.swing * shaking * np.sin(2 * np.pi * manner.pace * (t - meet)), [0.0, 1.0, 0.15])
    for player, way in zip(meeting.players, (1.0, -1.0), strict=True):
        # The left hand's palm faces the right of its owner, who looks along ``way``.
        touch = Touch(
            at=at, fingers=(-0.1 * way, -0.12, way), palm=(-way, -0.1, -0.1 * way), pole=(0.45 * way, -1.0, -0.25 * way)
        )
        _hold_out(player, manner, "left", touch, (meet, part), rng=rng)
    return Duo(players=meeting.players, touch=(meeting.meet, meeting.part))


def act_hand_over(t: np.ndarray, rigs: Rigs, manner: HandOverManner, *, rng: np.random.Generator) -> Duo:
    """The first one holds out a hand with something in it, the second one reaches for it and takes it."""
    meeting = _together(t, rigs, manner, manner.hold, rng=rng)
    sides = ("left", "right" if manner.cross else "left")
    # The left hand of the one is on the same side as the right hand of the other.
    aside = 0.35 * float(rigs[0].rest[ARM["left"][1], 0]) if manner.cross else 0.0
    at = meeting.at + [aside, 0.0, 0.0]
    up = 1.0 if manner.way == "up" else -1.0
    for number, (player, side) in enumerate(zip(meeting.players, sides, strict=True)):
        way = 1.0 - 2.0 * number
        # One palm above the other, the fingers of both pointing forward and inwards.
        inward = -SIGN[side] * way
        touch = Touch(
            at=at, fingers=(0.45 * inward, -0.05, way), palm=(0.0, up * way, 0.0),
            pole=(-0.5 * inward, -1.0, -0.3 * way),
        )  # fmt: skip
        early = rng.uniform(0.1, 0.5) * (number == 0)
        _hold_out(
            player, manner, side, touch, (meeting.meet - early, meeting.part), rng=rng, carries=(number == 0, number == 1)
        )
    return Duo(players=meeting.players, touch=(meeting.meet, meeting.part))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meeting:
    """Two people where their hands can meet."""

    players: tuple[Player, Player]
    at: np.ndarray
    """Where their hands meet, common frame, metres."""
    meet: float
    """Second from which the hands are together."""
    part: float
    """Second until which they are."""


def _together(t: np.ndarray, rigs: Rigs, manner: MeetManner, lasting: float, *, rng: np.random.Generator) -> _Meeting:
    """Both so far apart that their arms are stretched as the manner says; the hands are together for ``lasting`` seconds."""
    seconds, arrived = manner.seconds, 0.0
    takes = [_stand(t, rig, person, rng=rng) for rig, person in zip(rigs, (manner.first, manner.second), strict=True)]
    if manner.walks:
        takes[1], arrived = walk_up(t, rigs[1], manner.second, rng.uniform(0.42, 0.5) * seconds, rng=rng)
    spare = max(seconds - arrived - lasting, 1.6)
    meet = max(arrived, 0.1) + np.clip(rng.uniform(0.35, 0.5) * spare, 0.75, 1.6)
    height = float(np.mean([shoulder_height(rig) - 0.72 * (rig.upper_arm + 0.1) for rig in rigs]))
    frame = min(round(meet / seconds * len(t)), len(t) - 1)
    ahead = [_ahead(take, rig, manner, height, frame) for take, rig in zip(takes, rigs, strict=True)]
    players = (
        Player(rig=rigs[0], take=takes[0], place=Place()),
        Player(rig=rigs[1], take=takes[1], place=Place(z=ahead[0] + ahead[1], yaw=np.pi)),
    )
    at = np.array([0.0, height, ahead[0]])
    return _Meeting(players=players, at=at, meet=meet, part=min(meet + lasting, seconds - 0.55))


def _ahead(take: Take, rig: Rig, manner: MeetManner, height: float, frame: int) -> float:
    """Where along the own z axis a hand of this height is, metres, with the arm stretched as the manner says."""
    shoulder = solve(take.plan, rig).positions[frame, [16, 17]].mean(axis=0)
    reach = manner.stretch * arm_length(rig)
    aside = 0.8 * abs(rig.rest[ARM["left"][1], 0])
    return float(shoulder[2] + np.sqrt(max(reach**2 - (shoulder[1] - height) ** 2 - aside**2, 0.06)))


def _stand(t: np.ndarray, rig: Rig, manner: Manner, *, rng: np.random.Generator) -> Take:
    plan = posture(t, rig, manner, rng=rng)
    stand_on(plan, rig, stance_prints(rig, manner, rng=rng))
    plan.head += noise(t, rng=rng, amplitude=[0.03, 0.02, 0.05], low=0.1, high=0.5)
    return Take(plan=plan, segments=[("standing", manner.seconds)])


def _hold_out(
    player: Player, manner: MeetManner, side: str, touch: Touch, times: tuple[float, float], *, rng: np.random.Generator,
    carries: tuple[bool, bool] = (False, False),
) -> None:  # fmt: skip
    """Bring a hand to a place, keep it there, take it back; trunk and head follow.

    Args:
        times: Seconds from and until which the hand is there.
        carries: Whether the hand holds something before, and after.
    """
    plan, own = player.take.plan, player.take.plan.t
    meet, part = times
    rise, sink = rng.uniform(0.6, 0.85), rng.uniform(0.6, 0.9)
    person = manner.first if player.place.yaw == 0.0 else manner.second
    hanging = plan.arms[side][0][2]
    held = _carrying(own, person, rng=rng)
    track: Track = [(0.0, 0.0, held if carries[0] else hanging)]
    track.append((meet - rise, meet, hand_goal(player, side, touch)))
    track.append((part, part + sink, held if carries[1] else relaxed(own, person, rng=rng)))
    plan.arms[side] = track
    out = window(own, meet - 0.1, part, 0.6)
    plan.spine[:, 0] += manner.lean * out
    plan.spine[:, 2] -= SIGN[side] * 0.16 * out
    plan.head[:, 2] += SIGN[side] * 0.14 * out
    plan.head[:, 0] += (rng.uniform(0.0, 0.22) - 0.6 * manner.lean) * out


def _carrying(t: np.ndarray, person: Manner, *, rng: np.random.Generator) -> ArmAngles:
    """An arm that holds something small in front of the body."""
    arm = relaxed(t, person, rng=rng)
    arm.flexion = arm.flexion + rng.uniform(0.05, 0.25)
    arm.elbow = arm.elbow + rng.uniform(1.0, 1.35)
    arm.twist = arm.twist + 0.35
    return arm
