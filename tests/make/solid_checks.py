"""Compiled checks of furniture and floor, called for many points."""

from __future__ import annotations

import numpy as np

from augment.placement.gates import body_free, body_points
from augment.scene.solid import Boxes, Solid, behind_some_box, in_some_box, on_floor
from augment.types import Surface


def any_in_box(boxes: Boxes, points: np.ndarray, grow: np.ndarray | float = 0.0) -> np.ndarray:
    """Which boxes some point (..., p, 3) lies in."""
    flat = np.ascontiguousarray(points, np.float64).reshape(-1, *points.shape[-2:])
    reach = np.broadcast_to(np.asarray(grow, np.float64), flat.shape[1]).copy()
    passed = np.zeros(1, np.bool_)
    return np.array([flat.size > 0 and in_some_box(row[None], passed, flat, reach) for row in boxes], bool)


def behind_box(boxes: Boxes, points: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Whether a box hides each point (..., 3)."""
    flat = np.ascontiguousarray(points, np.float64).reshape(-1, 3)
    return np.array([behind_some_box(boxes, point, np.asarray(eye, np.float64)) for point in flat]).reshape(points.shape[:-1])


def on_ground(points: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Whether each point (..., 2) lies on the floor."""
    polygon = np.ascontiguousarray(floor, np.float64)
    return np.array([on_floor(x, z, polygon) for x, z in points.reshape(-1, 2)]).reshape(points.shape[:-1])


def stands_free(joints: np.ndarray, solid: Solid, support: Surface | None) -> str | None:
    """``body_free`` for joints (t, 24, 3)."""
    return body_free(body_points(joints), solid, support)
