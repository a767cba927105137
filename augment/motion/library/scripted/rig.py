"""Measurements of a body in the rest pose: bone lengths, soles, palms and skin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ....body.skinning import Joined, Terms, join
from ....geometry import axis_rotation

SIDES = ("left", "right")
LEG = {"left": (1, 4, 7, 10), "right": (2, 5, 8, 11)}
"""Hip, knee, ankle, toe base."""
ARM = {"left": (13, 16, 18, 20), "right": (14, 17, 19, 21)}
"""Collar, shoulder, elbow, wrist."""
SIGN = {"left": 1.0, "right": -1.0}
"""Sign of the side's x in the rest pose."""
KNEE_HINGE = np.array([1.0, 0.0, 0.0])
ELBOW_HINGE = {"left": np.array([0.0, -1.0, 0.0]), "right": np.array([0.0, 1.0, 0.0])}


@dataclass(frozen=True, kw_only=True, eq=False)
class Rig:
    """Measurements of one body shape, equal to itself alone. Rest frame: T-pose, +y up, facing +z, metres."""

    body: Any
    """The body that was measured."""
    rest: Float[np.ndarray, "24 3"]
    """Rest joints."""
    betas: Float[np.ndarray, "10"]
    skin: Float[np.ndarray, "n 3"]
    """A few thousand rest vertices, used to find contacts."""
    weights: Float[np.ndarray, "n 24"]
    part: Int[np.ndarray, "n"]
    """Joint that moves the vertex most."""
    heel: dict[str, np.ndarray]
    """Lowest rear point of the sole relative to the ankle, rest frame, after ``flat``."""
    ball: dict[str, np.ndarray]
    """Toe base relative to the ankle, after ``flat``."""
    ankle_height: float
    """Height of the ankle when the sole is flat on the floor."""
    flat: float
    """Pitch of the foot (radians) that levels heel and ball."""
    knee_radius: float
    """From the knee joint to the skin in front of it."""
    palm: float
    """From the wrist joint to the skin of the palm."""
    thigh_radius: float
    """From the middle of the thigh bone to the skin in front of it."""
    hand_length: float
    """From the wrist joint to the finger tips."""

    @cached_property
    def thigh(self) -> float:
        """Hip to knee, metres."""
        return self._length(1, 4)

    @cached_property
    def shank(self) -> float:
        """Knee to ankle, metres."""
        return self._length(4, 7)

    @cached_property
    def leg(self) -> float:
        """Hip to ankle, straight, metres."""
        return self.thigh + self.shank

    @cached_property
    def upper_arm(self) -> float:
        """Shoulder to elbow, metres."""
        return self._length(16, 18)

    @cached_property
    def forearm(self) -> float:
        """Elbow to wrist, metres."""
        return self._length(18, 20)

    @property
    def hip_drop(self) -> float:
        """Height of the pelvis joint above the hip joints, metres."""
        return float(self.rest[0, 1] - self.rest[1, 1])

    @property
    def hip_width(self) -> float:
        """Between the hip joints, metres."""
        return float(self.rest[1, 0] - self.rest[2, 0])

    @property
    def standing(self) -> float:
        """Height of the pelvis with nearly straight legs (knees bent by about 9 degrees), metres."""
        return self.ankle_height + 0.997 * self.leg + self.hip_drop

    @property
    def trunk(self) -> float:
        """Pelvis to neck, metres."""
        return float(self.rest[12, 1] - self.rest[0, 1])

    @property
    def scale(self) -> float:
        """Leg length relative to 0.80 m, an average adult's; scales steps and reaches."""
        return self.leg / 0.80

    def _length(self, joint: int, child: int) -> float:
        return float(np.linalg.norm(self.rest[child] - self.rest[joint]))


def make_rig(body: Any, betas: Float[np.ndarray, "10"]) -> Rig:
    """Measure a body (``augment.body.model.Body``) of one shape."""
    rest = np.asarray(body.rest_joints(betas), float)
    vertices = np.asarray(body.rest_vertices(betas), float)
    part = np.asarray(body.part_of_vertex).astype(int)
    weights = np.asarray(body.weights, float)
    heel, ball, heights, pitches = {}, {}, [], []
    for side in SIDES:
        _, _, ankle, toe = LEG[side]
        foot = vertices[(part == ankle) | (part == toe)] - rest[ankle]
        foot = foot[foot[:, 1] < 0]
        front = foot[:, 2] > 0.75 * (rest[toe] - rest[ankle])[2]
        rear = foot[:, 2] < 0.15 * (rest[toe] - rest[ankle])[2]
        low_front, low_rear = foot[front][foot[front, 1].argmin()], foot[rear][foot[rear, 1].argmin()]
        pitches.append(np.arctan2(low_front[1] - low_rear[1], low_front[2] - low_rear[2]))
        level = axis_rotation("x", pitches[-1])
        low = foot @ level.T
        heights.append(-low[:, 1].min())
        sole = low[low[:, 1] < low[:, 1].min() + 0.015]
        heel[side] = np.array([0.0, -heights[-1], sole[:, 2].min() + 0.01])
        ball[side] = level @ (rest[toe] - rest[ankle])
    hand = vertices[(part == 20) | (part == 22)] - rest[20]
    length = float(hand[:, 0].max())
    palm = hand[(hand[:, 0] > 0.2 * length) & (hand[:, 0] < 0.6 * length)]
    shin = vertices[(part == 4) | (part == 1)] - rest[4]
    shin = shin[np.abs(shin[:, 1]) < 0.05]
    middle = 0.4 * rest[1] + 0.6 * rest[4]
    thigh = vertices[part == 1] - middle
    thigh = thigh[np.abs(thigh[:, 1]) < 0.05]
    rows = _rows_of(body)
    return Rig(
        body=body, rest=rest, betas=np.asarray(betas, float), skin=vertices[rows], weights=weights[rows], part=part[rows],
        heel=heel, ball=ball, ankle_height=float(np.mean(heights)), flat=float(np.mean(pitches)),
        knee_radius=float(np.quantile(shin[:, 2], 0.98)), palm=float(-np.quantile(palm[:, 1], 0.05)),
        thigh_radius=float(np.quantile(thigh[:, 2], 0.95)), hand_length=length,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _rows_of(body: Any) -> Int[np.ndarray, " n"]:
    """The vertices of a body that stand for its skin."""
    # Head, hands and feet have most of the mesh's vertices but seldom carry the body.
    part = np.asarray(body.part_of_vertex)
    fine = np.isin(part, [12, 15, 20, 21, 22, 23, 7, 8, 10, 11])
    order = np.arange(len(part))
    return np.flatnonzero(np.where(fine, order % 4 == 0, order % max(1, (~fine).sum() // 2500) == 0))


@lru_cache(maxsize=16)
def skin_of(rig: Rig, *parts: int) -> Terms:
    """The rig's sampled vertices of some parts (SMPL joints), all if none is named, ready for ``body.skinning``."""
    rows, joined = _joined(rig.body, parts)
    return joined.at(rig.skin[rows], rig.rest)


@lru_cache(maxsize=64)
def _joined(body: Any, parts: tuple[int, ...]) -> tuple[Int[np.ndarray, " m"], Joined]:
    """What of ``skin_of`` all shapes of a body share: the vertices, numbered as in a rig, and what moves them."""
    sampled = _rows_of(body)
    rows = np.flatnonzero(np.isin(np.asarray(body.part_of_vertex)[sampled], parts)) if parts else np.arange(len(sampled))
    zero = np.zeros(10)
    points = np.asarray(body.rest_vertices(zero), float)[sampled][rows]
    return rows, join(points, np.asarray(body.weights, float)[sampled][rows], np.asarray(body.rest_joints(zero), float))
