"""A body's surface as its extreme points: fast tests of contact with floor and support, without the whole mesh."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from ..compiled import compiled
from ..types import JOINT
from .model import Body

_DIRECTIONS = np.array([each for each in product((-1.0, 0.0, 1.0), repeat=3) if any(each)])
_SHAPES = np.concatenate([np.zeros((1, 10)), 2 * np.eye(10), -2 * np.eye(10)])
"""Of these, the first is the mean shape; what is extreme in one of them is near what is in any other."""


def upper_outline(body: Body, betas: Float[np.ndarray, "10"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Extreme points of the parts that can rest on a surface besides the feet: all down to just below the knees.

    Returns:
        The joint each point is fixed to (n,), and its offset from that joint in the zero pose, metres (n, 3).
    """
    return _upper_outline(body, np.asarray(betas, np.float64).tobytes())


@lru_cache(maxsize=64)
def _upper_outline(body: Body, numbers: bytes) -> tuple[np.ndarray, np.ndarray]:
    betas, (rows, carriers) = np.frombuffer(numbers), _upper_rows(body)
    return carriers, body.rest_points(betas, rows) - body.rest_joints(betas)[carriers]


@lru_cache(maxsize=4)
def _upper_rows(body: Body) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    vertices, rest = body.rest_vertices(np.zeros(10)), body.rest_joints(np.zeros(10))
    parts = np.asarray(body.part_of_vertex)
    below_knee = rest[JOINT["left_knee"], 1] - 0.3 * (rest[JOINT["left_knee"], 1] - rest[JOINT["left_ankle"], 1])
    feet = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("ankle", "foot")]
    shins = [JOINT["left_knee"], JOINT["right_knee"]]
    usable = ~np.isin(parts, feet) & ~(np.isin(parts, shins) & (vertices[:, 1] < below_knee))
    rows = _extreme(body, np.flatnonzero(usable), _DIRECTIONS)
    return rows, parts[rows].astype(np.int64)


@lru_cache(maxsize=4)
def extreme_points(body: Body) -> Int[np.ndarray, " n"]:
    """Vertices that stand out of some part of the body in some direction: wherever a body touches, one of them is near."""
    count = 100
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    directions = np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
    return _extreme(body, np.arange(len(body.weights)), directions)


@lru_cache(maxsize=4)
def _lowest_rows(body: Body) -> Int[np.ndarray, " n"]:
    height = body.rest_vertices(np.zeros(10))[:, 1]
    return np.flatnonzero(height < height.min() + 0.03)


def sole_height(body: Body, betas: Float[np.ndarray, "10"]) -> float:
    """Height of the soles in the zero pose, metres."""
    return _sole_height(body, np.asarray(betas, np.float64).tobytes())


@lru_cache(maxsize=64)
def _sole_height(body: Body, numbers: bytes) -> float:
    return float(body.rest_points(np.frombuffer(numbers), _lowest_rows(body))[:, 1].min())


def _extreme(body: Body, usable: np.ndarray, directions: np.ndarray) -> Int[np.ndarray, " n"]:
    """The usable vertices that are the furthest of their part in a direction, in one of ``_SHAPES``."""
    parts, found = np.asarray(body.part_of_vertex)[usable], []
    for betas in _SHAPES:
        skin = body.rest_vertices(betas)[usable]
        for part in np.unique(parts):
            mine = np.flatnonzero(parts == part)
            found.append(usable[mine[np.unique((skin[mine] @ directions.T).argmax(axis=0))]])
    return np.unique(np.concatenate(found))


def lowest_point(
    worlds: Float[np.ndarray, "t 24 3 3"],
    joints: Float[np.ndarray, "t 24 3"],
    outline: tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]],
) -> Float[np.ndarray, " t"]:
    """Height of the lowest of these points in every frame, metres."""
    carriers, points = outline
    low = np.full(len(joints), np.inf)
    _lowest(np.ascontiguousarray(worlds, np.float64), np.ascontiguousarray(joints, np.float64), carriers, points, low)
    return low


@compiled
def _lowest(worlds, joints, carriers, points, low):
    for frame in range(len(low)):
        for row in range(len(carriers)):
            turn, point = worlds[frame, carriers[row], 1], points[row]
            y = joints[frame, carriers[row], 1] + turn[0] * point[0] + turn[1] * point[1] + turn[2] * point[2]
            low[frame] = min(low[frame], y)
