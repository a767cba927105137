"""Shared by all actions of two people: who they are, where each stands in the common frame, and hands that take hold.

Each person is planned in a frame of their own (at the origin, facing +z) and put into the common one by a ``Place``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from ....geometry import turn_about_y
from ..scripted import ik
from ..scripted.goals import Hand, spread
from ..scripted.manner import Manner, Take, draw_manner, oldness
from ..scripted.pose import Solved, solve
from ..scripted.rig import ARM, SIGN, Rig
from ..scripted.walk import WalkManner, act_walk

HAND = {"left": 22, "right": 23}
"""SMPL's joint in the middle of the hand."""
TRUNK = (0, 3, 6, 9, 13, 14)
"""Parts of the trunk."""
Way = Float[np.ndarray, "... 3"] | tuple[float | int, float | int, float | int]
"""A point or direction, one for all frames or one for each."""
YOUNG, OLD = (20.0, 62.0), (62.0, 95.0)
"""Years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairManner:
    """Parameters of all actions of two people; each action adds its own."""

    seconds: float
    """Length of the clip."""
    side: str
    """``left`` or ``right``; motions for the right are mirrored, with what is said of them."""
    first: Manner
    second: Manner


def draw_people(rng: np.random.Generator, low: float, high: float, *, patient: bool = True) -> dict[str, Any]:
    """Draw the shared parameters. ``low`` and ``high`` limit the clip's length, seconds; ``patient``: the first one is old, the
    second one is not."""
    first, second = draw_manner(rng, low, high), draw_manner(rng, low, high)
    if patient:
        first, second = _aged(first, rng.uniform(*OLD)), _aged(second, rng.uniform(*YOUNG))
    both = {"seconds": first["seconds"], "side": first["side"]}
    return both | {"first": Manner(**first), "second": Manner(**(second | both))}


def _aged(manner: dict[str, Any], age: float) -> dict[str, Any]:
    stoop = manner["stoop"] * (0.35 + 0.65 * oldness(age)) / (0.35 + 0.65 * oldness(manner["age"]))
    return manner | {"age": float(np.round(age)), "stoop": float(stoop)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a person's own frame is in the common one."""

    x: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    """Radians about +y."""

    def out(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Points of the own frame in the common one, metres."""
        return turn_about_y(points, self.yaw) + [self.x, 0.0, self.z]

    def into(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Points of the common frame in the own one, metres."""
        return turn_about_y(points - np.array([self.x, 0.0, self.z]), -self.yaw)

    def turned(self, directions: Way, count: int) -> Float[np.ndarray, "t 3"]:
        """Directions of the common frame in the own one."""
        return turn_about_y(spread(directions, count), -self.yaw)


@dataclass(slots=True, kw_only=True)
class Player:
    """One of the two: a take in their own frame, and where that is."""

    rig: Rig
    take: Take
    place: Place
    solved: Solved | None = None
    """Set once nothing of the take changes any more."""

    def settle(self) -> Solved:
        """Solve the take, once."""
        if self.solved is None:
            self.solved = solve(self.take.plan, self.rig)
        return self.solved

    def joints(self) -> Float[np.ndarray, "t 24 3"]:
        """Joints in the common frame, metres."""
        return self.place.out(self.settle().positions)

    def turns(self) -> Float[np.ndarray, "t 24 3 3"]:
        """World rotations of the joints in the common frame."""
        return ik.lean(yaw=self.place.yaw) @ self.settle().worlds


@dataclass(frozen=True, slots=True, kw_only=True)
class Duo:
    """A performed action of two people."""

    players: tuple[Player, Player]
    touch: tuple[float, float]
    """Seconds from and until which hands hold what they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """What a hand does in the common frame; each may change over time."""

    at: Way
    """Where the palm is, metres."""
    fingers: Way
    """Where the fingers point."""
    palm: Way
    """Where the palm faces."""
    pole: Way = (0.0, -1.0, 0.0)
    """Where the elbow points."""


def hand_goal(player: Player, side: str, touch: Touch) -> Hand:
    """The goal of a hand whose palm is at a point of the common frame."""
    count = len(player.take.plan.t)
    fingers, palm, pole = (player.place.turned(way, count) for way in (touch.fingers, touch.palm, touch.pole))
    across = np.array([SIGN[side], 0.0, 0.0])
    turn = ik.aim(ik.unit(fingers), palm, across, np.array([0.0, -1.0, 0.0]))
    rest = player.rig.rest
    middle = rest[HAND[side]] - rest[ARM[side][3]] - np.array([0.0, palm_depth(player.rig), 0.0])
    at = player.place.into(spread(touch.at, count)) - ik.apply(turn, middle)
    return Hand(at=at, pole=pole, fingers=fingers, palm=palm)


@lru_cache(maxsize=32)
def palm_depth(rig: Rig) -> float:
    """From the middle of the hand to the skin of the palm, metres."""
    near = np.linalg.norm((rig.skin - rig.rest[HAND["left"]])[:, [0, 2]], axis=1) < 0.025
    return float(rig.rest[HAND["left"], 1] - rig.skin[near, 1].min())


def arm_length(rig: Rig) -> float:
    """Shoulder to the middle of the hand, straight, metres."""
    return rig.upper_arm + rig.forearm + float(np.linalg.norm(rig.rest[HAND["left"]] - rig.rest[ARM["left"][3]]))


def shoulder_height(rig: Rig) -> float:
    """Of a person who stands, metres."""
    return rig.standing + float(rig.rest[ARM["left"][1], 1] - rig.rest[0, 1])


def walk_up(t: np.ndarray, rig: Rig, manner: Manner, arrive: float, *, rng: np.random.Generator) -> tuple[Take, float]:
    """Walk straight ahead, arrive after about ``arrive`` seconds and stand: the take, and the second from which on they do."""
    old = manner.old
    walk = WalkManner(
        seconds=arrive, age=manner.age, side="left", stoop=manner.stoop, restless=manner.restless,
        speed=float(rng.uniform(0.8, 1.2) * (1 - old) + rng.uniform(0.4, 0.7) * old), turn=0.0,
        path="straight", arm_swing=float(rng.uniform(0.4, 0.65) * (1 - 0.5 * old)),
        width=float(rng.uniform(0.12, 0.17) + 0.05 * old), starts=bool(rng.random() < 0.4), stops=True,
    )  # fmt: skip
    take = act_walk(t, rig, walk, rng=rng)
    stands = take.segments[-2][1]
    take.segments = [(label, second) for label, second in take.segments[:-1]] + [("standing", float(t[-1]) + 1.0)]
    return take, stands


def skin_beside(rig: Rig, joint: int, way: tuple[float, float], up: float = 0.0) -> Float[np.ndarray, "3"]:
    """A point of the trunk's skin relative to a joint, in the rest pose, metres.

    Args:
        rig: The body.
        joint: A joint of the trunk.
        way: Horizontal unit direction (x, z) from the joint.
        up: Metres above the joint.
    """
    from_joint = rig.skin - rig.rest[joint] - [0.0, up, 0.0]
    across = from_joint[:, 0] * way[1] - from_joint[:, 2] * way[0]
    near = np.isin(rig.part, TRUNK) & (np.abs(from_joint[:, 1]) < 0.04) & (np.abs(across) < 0.05)
    far = (from_joint[near][:, [0, 2]] @ np.array(way)).max()
    return np.array([far * way[0], up, far * way[1]])


def on_body(player: Player, joint: int, offset: Float[np.ndarray, "3"]) -> Float[np.ndarray, "t 3"]:
    """A point that moves with a joint of a settled person, common frame, metres; ``offset`` as in the rest pose."""
    return player.joints()[:, joint] + ik.apply(player.turns()[:, joint], offset)
