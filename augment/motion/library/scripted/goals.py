"""Goals of limbs: a planted foot, a knee on the floor, a hand in a place, or joint angles. Each goal solves to the local
rotations of the limb's joints; ``follow`` blends from goal to goal. World frame, metres, radians."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ....geometry import axis_rotation
from . import ik
from .curves import ramp
from .rig import ARM, ELBOW_HINGE, KNEE_HINGE, LEG, SIGN, Rig

MAX_WRIST = np.radians(75.0)
"""Largest bend of a hand relative to its forearm."""
MAX_ROLL = np.radians(110.0)
"""Largest roll of a hand about its forearm."""
Channel = Float[np.ndarray, "t"] | float | int
"""A number that may change over time."""
Path = Float[np.ndarray, "*t 3"] | tuple[float | int, float | int, float | int]
"""A point or direction that may change over time."""


@dataclass(slots=True)
class Trunk:
    """World positions and rotations of the body when a limb is solved."""

    rig: Rig
    positions: Float[np.ndarray, "t 24 3"]
    worlds: Float[np.ndarray, "t 24 3 3"]

    def __len__(self) -> int:
        return len(self.positions)


@runtime_checkable
class Goal(Protocol):
    """A goal of a limb."""

    def solve(self, side: str, trunk: Trunk) -> Float[np.ndarray, "t 4 3 3"]:
        """Local rotations of the limb's four joints (``rig.LEG`` or ``rig.ARM``)."""
        ...


Track = list[tuple[float, float, Goal]]
"""(start, end, goal): the limb leaves its previous goal at ``start`` and reaches this one at ``end``, seconds."""


def follow(track: Track, side: str, trunk: Trunk, t: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t 4 3 3"]:
    """Local rotations along a track of goals, blended with minimum-jerk weights."""
    rotations = track[0][2].solve(side, trunk)
    for start, end, goal in track[1:]:
        weight = np.repeat(ramp(t, start, end)[:, None], rotations.shape[1], axis=1)
        rotations = ik.slerp(rotations, goal.solve(side, trunk), weight)
    return rotations


def follow_turns(keys: list[tuple[float, float, np.ndarray]], t: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t 3 3"]:
    """Rotations along (start, end, rotation) as in a track; each rotation is (t, 3, 3) or (3, 3)."""
    turn = np.broadcast_to(keys[0][2], (len(t), 3, 3))
    for start, end, after in keys[1:]:
        turn = ik.slerp(turn, np.broadcast_to(after, (len(t), 3, 3)), ramp(t, start, end))
    return turn


def spread(value: Channel | Path, count: int) -> np.ndarray:
    """Broadcast a constant to ``count`` frames; a curve is returned as it is."""
    value = np.asarray(value, float)
    return (
        value
        if value.ndim and len(value) == count and not (value.ndim == 1 and count == 3)
        else np.repeat(value[None], count, axis=0)
    )


@dataclass(slots=True, kw_only=True)
class Planted:
    """Ankle and foot at given places; the knee bends towards ``pole``."""

    ankle: Path
    """World."""
    foot: Float[np.ndarray, "*t 3 3"]
    """World rotation of the foot (identity: sole level, toes to +z)."""
    toe: Channel = 0.0
    """Extension of the toes, radians."""
    pole: Path | None = None
    """World direction of the knee; by default that of the foot and pelvis, and up if the foot is far ahead."""

    def solve(self, side: str, trunk: Trunk) -> np.ndarray:
        hip, knee, ankle, _ = LEG[side]
        rest, count = trunk.rig.rest, len(trunk)
        foot = np.broadcast_to(self.foot, (count, 3, 3))
        if self.pole is None:
            # The foot's x axis is level whatever its pitch, so it gives the direction of the toes.
            ahead = ik.cross(foot[..., 0], np.array([0.0, 1.0, 0.0]))
            before = ((spread(self.ankle, count) - trunk.positions[:, hip]) * ahead).sum(-1, keepdims=True) / trunk.rig.leg
            # With the foot far ahead of the hip (sitting on the floor), the knee must bend upwards.
            up = np.clip(1.6 * before - 0.3, 0.0, 1.5) * np.array([0.0, 1.0, 0.0])
            pole = 0.75 * ahead + 0.25 * trunk.worlds[:, 0, :, 2] + 0.02 * foot[..., 2] + up
        else:
            pole = spread(self.pole, count)
        upper, lower, hinge = ik.two_bone(
            trunk.positions[:, hip], spread(self.ankle, count), pole, trunk.rig.thigh, trunk.rig.shank
        )
        thigh = ik.aim(upper, hinge, rest[knee] - rest[hip], KNEE_HINGE)
        shank = ik.aim(lower, hinge, rest[ankle] - rest[knee], KNEE_HINGE)
        return leg_locals(trunk, thigh, shank, foot @ axis_rotation("x", trunk.rig.flat), spread(self.toe, count))


@dataclass(slots=True, kw_only=True)
class Knelt:
    """The thigh points at a knee on the floor, the shank from there towards the ankle."""

    knee: Path
    """World; reached exactly if it is a thigh's length from the hip."""
    ankle: Path
    """World; gives the direction of the shank."""
    bend: Channel = 0.9
    """Plantar flexion, radians."""

    def solve(self, side: str, trunk: Trunk) -> np.ndarray:
        hip, knee, ankle, _ = LEG[side]
        rest, count = trunk.rig.rest, len(trunk)
        upper = ik.unit(spread(self.knee, count) - trunk.positions[:, hip])
        lower = ik.unit(spread(self.ankle, count) - spread(self.knee, count))
        hinge = ik.unit(ik.cross(upper, lower))
        thigh = ik.aim(upper, hinge, rest[knee] - rest[hip], KNEE_HINGE)
        shank = ik.aim(lower, hinge, rest[ankle] - rest[knee], KNEE_HINGE)
        foot = shank @ axis_rotation("x", spread(self.bend, count))
        return leg_locals(trunk, thigh, shank, foot, np.zeros(count))


@dataclass(slots=True, kw_only=True)
class LegAngles:
    """Joint angles of a leg relative to the pelvis, radians."""

    flexion: Channel = 0.0
    """Of the thigh, forward."""
    abduction: Channel = 0.05
    """Of the thigh, outwards."""
    twist: Channel = 0.1
    """Outward rotation of knee and toes."""
    knee: Channel = 0.1
    """Flexion of the knee."""
    ankle: Channel = 0.0
    """Plantar flexion."""

    def solve(self, side: str, trunk: Trunk) -> np.ndarray:
        count, sign = len(trunk), SIGN[side]
        flexion, abduction, twist, knee, ankle = _angles(self, count)
        hip = axis_rotation("x", -flexion) @ axis_rotation("z", sign * abduction) @ axis_rotation("y", sign * twist)
        return np.stack(
            [hip, axis_rotation("x", knee), axis_rotation("x", ankle + trunk.rig.flat), axis_rotation("x", 0.0 * ankle)], axis=1
        )


def _angles(goal: LegAngles | ArmAngles, count: int) -> list[np.ndarray]:
    """The goal's angles in the order of its fields, each (count,)."""
    return [spread(getattr(goal, field.name), count) for field in fields(goal)]


def leg_locals(trunk: Trunk, thigh: np.ndarray, shank: np.ndarray, foot: np.ndarray, toe: np.ndarray) -> np.ndarray:
    """Local rotations from world rotations of thigh, shank and foot, and the toes' extension."""
    pelvis = trunk.worlds[:, 0]
    return np.stack(
        [ik.transpose(pelvis) @ thigh, ik.transpose(thigh) @ shank, ik.transpose(shank) @ foot, axis_rotation("x", -toe)],
        axis=1,
    )


def collar(side: str, direction: Float[np.ndarray, "t 3"]) -> np.ndarray:
    """Rotation of the collar for an arm's direction: down for a hanging arm, up and forward for a raised one.

    Args:
        direction: Unit vector of the arm in the chest's frame.
    """
    sign = SIGN[side]
    height = direction[:, 1]
    elevation = np.interp(height, [-1.0, -0.2, 0.5, 1.0], np.radians([-9.0, -3.0, 10.0, 24.0]))
    forward = np.radians(14.0) * np.clip(direction[:, 2], -0.4, 1.0)
    return axis_rotation("y", -sign * forward) @ axis_rotation("z", sign * elevation)


@dataclass(slots=True, kw_only=True)
class ArmAngles:
    """Joint angles of an arm relative to the chest, radians."""

    flexion: Channel = 0.05
    """Of the upper arm, forward and up."""
    abduction: Channel = 0.2
    """Of the upper arm, outwards."""
    twist: Channel = 0.25
    """Inward rotation about the upper arm (turns the palm of a hanging hand back)."""
    elbow: Channel = 0.25
    """Flexion of the elbow."""
    wrist: Channel = 0.0
    """Flexion of the hand towards the palm."""

    def solve(self, side: str, trunk: Trunk) -> np.ndarray:
        count, sign = len(trunk), SIGN[side]
        flexion, abduction, twist, elbow, wrist = _angles(self, count)
        swing = axis_rotation("x", -flexion) @ axis_rotation("z", sign * abduction)
        clavicle = collar(side, ik.apply(swing, np.array([0.0, -1.0, 0.0])))
        hang = axis_rotation("y", -sign * twist) @ axis_rotation("z", np.full(count, -sign * np.pi / 2))
        bend = axis_rotation("y", -sign * elbow)
        hand = axis_rotation("z", -sign * wrist) @ axis_rotation("x", np.full(count, 0.1))
        return np.stack([clavicle, ik.transpose(clavicle) @ swing @ hang, bend, hand], axis=1)


@dataclass(slots=True, kw_only=True)
class Hand:
    """Wrist at a point, elbow towards ``pole``, directions of palm and fingers; all in ``frame``."""

    at: Path
    """Wrist relative to the frame's origin, metres."""
    frame: str = "world"
    """``world``; ``chest`` (origin at spine3), ``pelvis``, ``head``, or ``thigh`` (the same side's; origin at the hip)."""
    pole: Path = (0.0, -1.0, -0.3)
    """Direction of the elbow. x points away from the body's middle (for ``world``: the world's x)."""
    fingers: Path | None = None
    """Direction of the fingers; None keeps the hand in line with the forearm."""
    palm: Path = (0.0, -1.0, 0.0)
    """Direction the palm faces, with ``fingers``."""

    def solve(self, side: str, trunk: Trunk) -> np.ndarray:
        rest, count = trunk.rig.rest, len(trunk)
        clavicle_joint, shoulder, elbow, wrist = ARM[side]
        origin, turn = self._frame(side, trunk)
        mirror = np.array([1.0 if self.frame == "world" else SIGN[side], 1.0, 1.0])
        target = origin + ik.apply(turn, spread(self.at, count) * mirror)
        chest = trunk.worlds[:, 9]
        root = trunk.positions[:, clavicle_joint]
        clavicle = collar(side, ik.unit(ik.apply(ik.transpose(chest), target - root)))
        start = root + ik.apply(chest @ clavicle, rest[shoulder] - rest[clavicle_joint])
        upper, lower, hinge = ik.two_bone(
            start, target, ik.apply(turn, spread(self.pole, count) * mirror), trunk.rig.upper_arm, trunk.rig.forearm
        )
        arm = ik.aim(upper, hinge, rest[elbow] - rest[shoulder], ELBOW_HINGE[side])
        forearm = ik.aim(lower, hinge, rest[wrist] - rest[elbow], ELBOW_HINGE[side])
        if self.fingers is None:
            hand = forearm
        else:
            fingers = ik.apply(turn, spread(self.fingers, count) * mirror)
            palm = ik.apply(turn, spread(self.palm, count) * mirror)
            hand = ik.aim(fingers, palm, np.array([SIGN[side], 0.0, 0.0]), np.array([0.0, -1.0, 0.0]))
        # The forearm twists over its length: 60 % of the hand's roll is at the elbow, so that the wrist is not twisted too far.
        local = ik.transpose(forearm) @ hand
        roll = np.unwrap(ik.flexion(np.eye(3), local, np.array([1.0, 0.0, 0.0])))
        tilt = ik.limited(axis_rotation("x", -roll) @ local, MAX_WRIST)
        roll = np.clip(roll, -MAX_ROLL, MAX_ROLL)
        forearm_local = ik.transpose(arm) @ forearm @ axis_rotation("x", 0.6 * roll)
        return np.stack(
            [clavicle, ik.transpose(chest @ clavicle) @ arm, forearm_local, axis_rotation("x", 0.4 * roll) @ tilt], axis=1
        )

    def _frame(self, side: str, trunk: Trunk) -> tuple[np.ndarray, np.ndarray]:
        if self.frame == "world":
            return np.zeros((len(trunk), 3)), np.broadcast_to(np.eye(3), (len(trunk), 3, 3))
        joint = {"chest": 9, "pelvis": 0, "head": 15, "thigh": LEG[side][0]}[self.frame]
        return trunk.positions[:, joint], trunk.worlds[:, joint]


def goes_with_trunk(track: Track) -> bool:
    """Whether a limb's local rotations stay the same when the whole body is moved without turning it."""
    return all(
        isinstance(goal, LegAngles | ArmAngles) or (isinstance(goal, Hand) and goal.frame in ("chest", "pelvis", "head"))
        for _, _, goal in track
    )
