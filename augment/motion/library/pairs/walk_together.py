"""One walks, held by another who walks along in step. Motions are for ``left``: the helper is on the left."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ....types import JOINT
from ..scripted.gait import Trail
from ..scripted.manner import Take, pick
from ..scripted.rig import ARM, Rig
from ..scripted.walk import WalkManner, draw_footfalls, draw_trail, stride_of, walk_along, walk_segments
from .duo import Duo, PairManner, Place, Player, Touch, draw_people, hand_goal, on_body, shoulder_height, skin_beside

Rigs = tuple[Rig, Rig]


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkTogetherManner(PairManner):
    """``side`` is the side on which the helper walks."""

    hold: str
    """``waist`` (an arm round the back, hand in hand in front), ``hand`` (hand on hand) or ``arm`` (a hand at the upper arm,
    hand on hand)."""
    apart: float
    """Metres between the two paths, besides what the bodies need."""


def draw_walk_supported(rng: np.random.Generator, rigs: Rigs) -> WalkTogetherManner:
    shared = draw_people(rng, 4.0, 8.0)
    old = shared["first"].old
    path = pick(rng, straight=0.5, arc=0.5)
    walk = {
        "speed": float(rng.uniform(0.35, 0.75) * (1.0 - 0.25 * old)), "path": path,
        "turn": float(rng.uniform(-0.9, 0.9)) if path == "arc" else float(rng.uniform(-0.1, 0.1)),
        "arm_swing": float(rng.uniform(0.1, 0.3)), "width": float(rng.uniform(0.14, 0.2)),
        "starts": bool(rng.random() < 0.5), "stops": bool(rng.random() < 0.4),
    }  # fmt: skip
    first, second = (WalkManner(**asdict(shared[name]), **walk) for name in ("first", "second"))
    first = replace(first, stoop=first.stoop + float(rng.uniform(0.0, 0.15)))
    people: dict[str, Any] = shared | {"first": first, "second": replace(second, width=0.13)}
    return WalkTogetherManner(
        **people, hold=pick(rng, waist=0.4, hand=0.35, arm=0.25),
        apart=float(rng.uniform(0.0, 0.05)),
    )  # fmt: skip


def act_walk_supported(t: np.ndarray, rigs: Rigs, manner: WalkTogetherManner, *, rng: np.random.Generator) -> Duo:
    """Both walk with the same steps on paths beside each other; the hands are where they meet in every frame."""
    walker, helper = (replace(person, seconds=manner.seconds, side="left") for person in (manner.first, manner.second))
    assert isinstance(walker, WalkManner)
    assert isinstance(helper, WalkManner)
    stride = min(stride_of(rigs[0], walker), stride_of(rigs[1], helper))
    steps = draw_footfalls(walker, stride, rng=rng)
    trail = draw_trail(walker, steps, rng=rng)
    beside = sum(float(rig.rest[ARM["left"][1], 0]) for rig in rigs) + 0.11 + manner.apart
    beside = _aside(trail, beside, -0.06 if manner.hold == "waist" else 0.0)
    players = []
    for rig, person, path in ((rigs[0], walker, trail), (rigs[1], helper, beside)):
        plan = walk_along(t, rig, person, path, steps, rng=rng)
        players.append(Player(rig=rig, take=Take(plan=plan, segments=walk_segments(person, steps, stride)), place=Place()))
    one, two = players
    two.take.plan.head[:, 2] -= rng.uniform(0.1, 0.5)
    two.take.plan.head[:, 0] += rng.uniform(0.0, 0.15)
    _hold(t, (one, two), manner)
    return Duo(players=(one, two), touch=(0.0, manner.seconds))


def _aside(trail: Trail, left: float, ahead: float) -> Trail:
    """The trail moved to its left, and ahead, metres."""
    way = np.stack([np.cos(trail.heading), -np.sin(trail.heading)], axis=1)
    on = np.stack([np.sin(trail.heading), np.cos(trail.heading)], axis=1)
    return Trail(s=trail.s, xz=trail.xz + left * way + ahead * on, heading=trail.heading)


def _hold(t: np.ndarray, players: tuple[Player, Player], manner: WalkTogetherManner) -> None:
    """The walker's left hand lies in a hand of the helper; the other one is at the back or upper arm."""
    one, two = players
    heading = np.arctan2(one.take.plan.turn[:, 0, 2], one.take.plan.turn[:, 2, 2])
    on = np.stack([np.sin(heading), 0 * t, np.cos(heading)], axis=1)
    left = np.stack([np.cos(heading), 0 * t, -np.sin(heading)], axis=1)
    up = np.array([0.0, 1.0, 0.0])
    size = one.rig.scale
    shoulder = float(one.rig.rest[ARM["left"][1], 0])
    aside = shoulder + (0.10 if manner.hold == "waist" else 0.05)
    height = shoulder_height(one.rig) - (0.30 if manner.hold == "waist" else 0.33) * size
    middle = one.take.plan.pelvis * [1.0, 0.0, 1.0]
    at = middle + aside * left + (0.30 + 0.15 * manner.first.stoop) * size * on + height * up
    near, far = ("right", "left")
    below = far if manner.hold in ("waist", "arm") else near
    one.take.plan.arms["left"] = [
        (0.0, 0.0, hand_goal(one, "left", Touch(at=at, fingers=on + 0.25 * left, palm=-up, pole=-up + 0.1 * left - 0.4 * on)))
    ]
    inward = -0.5 if below == far else 0.1
    two.take.plan.arms[below] = [
        (0.0, 0.0, hand_goal(two, below, Touch(at=at, fingers=on + inward * left, palm=up, pole=-up - 0.4 * on)))
    ]
    if manner.hold == "waist":
        spot = JOINT["spine1"]
        back = on_body(one, spot, skin_beside(one.rig, spot, (0.0, -1.0), -0.02)) - 0.02 * on
        two.take.plan.arms[near] = [
            (0.0, 0.0, hand_goal(two, near, Touch(at=back, fingers=-left - 0.15 * up, palm=on, pole=-on - 0.5 * up)))
        ]
    if manner.hold == "arm":
        joints = one.joints()
        middle = 0.55 * joints[:, JOINT["left_shoulder"]] + 0.45 * joints[:, JOINT["left_elbow"]]
        at = middle + 0.055 * left - 0.02 * on
        two.take.plan.arms[near] = [
            (0.0, 0.0, hand_goal(two, near, Touch(at=at, fingers=on - 0.25 * left + 0.3 * up, palm=-left, pole=-up - 0.6 * on)))
        ]
