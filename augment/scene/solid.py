"""What people stand on and what is in their way in a room, as arrays: tests of many points in compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ..compiled import compiled
from ..types import Obstacle, Scene
from .boxes import blocking_boxes, hiding_boxes

Boxes = Float[np.ndarray, "b 8"]
"""Upright boxes: middle (3), half extents (3), cosine and sine of the yaw; metres."""
_NEAR, _DEEP = 0.05, 0.15
"""A box hides nothing within the first share of the way from the eye, and nothing less than so many metres behind its front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A room's floor and boxes."""

    floor: Float[np.ndarray, "n 2"]
    """Polygon (x, z), world, metres."""
    blocking: Boxes
    """What nobody walks through (``boxes.blocking_boxes``)."""
    hiding: Boxes
    """What hides people (``boxes.hiding_boxes``)."""


def solid_of(scene: Scene) -> Solid:
    """The floor and boxes of a room."""
    return Solid(floor=scene.floor, blocking=box_rows(blocking_boxes(scene)), hiding=box_rows(hiding_boxes(scene)))


def box_rows(boxes: Sequence[Obstacle]) -> Boxes:
    """Boxes as rows of numbers."""
    rows = np.empty((len(boxes), 8))
    for row, box in zip(rows, boxes, strict=True):
        row[:3], row[3:6], row[6], row[7] = box.center, box.size, np.cos(box.yaw), np.sin(box.yaw)
    rows[:, 3:6] /= 2
    return rows


def any_in_box(
    boxes: Boxes, points: Float[np.ndarray, "*batch p 3"], grow: Float[np.ndarray, " p"] | float = 0.0
) -> Bool[np.ndarray, " b"]:
    """Which boxes some point (world, metres) lies in, each box made larger on all sides by what the point keeps from it."""
    flat = np.ascontiguousarray(points, np.float64).reshape(-1, *points.shape[-2:])
    reach = np.broadcast_to(np.asarray(grow, np.float64), flat.shape[1]).copy()
    found = np.zeros(len(boxes), np.bool_)
    if flat.size:
        _in_box(boxes, flat, reach, found)
    return found


def behind_box(boxes: Boxes, points: Float[np.ndarray, "t p 3"], eye: Float[np.ndarray, "3"]) -> Bool[np.ndarray, "t p"]:
    """Whether a box lies between ``eye`` and each point, and the point outside or deep in it."""
    hidden = np.zeros(points.shape[:-1], np.bool_)
    _behind(boxes, np.ascontiguousarray(points, np.float64).reshape(-1, 3), np.asarray(eye, np.float64), hidden.reshape(-1))
    return hidden


def on_ground(points: Float[np.ndarray, "*batch 2"], floor: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "*batch"]:
    """Whether points (x, z) lie on the floor: as ``polygon.inside_polygon``."""
    inside = np.zeros(points.shape[:-1], np.bool_)
    flat = np.ascontiguousarray(points, np.float64).reshape(-1, 2)
    _inside(flat, np.ascontiguousarray(floor, np.float64), inside.reshape(-1))
    return inside


@compiled
def _in_box(boxes, points, grow, found):
    frames, count = points.shape[0], points.shape[1]
    most = grow.max()
    # A room has more boxes than a motion comes near to.
    low, high = points[0, 0].copy(), points[0, 0].copy()
    for frame in range(frames):
        for point in range(count):
            for axis in range(3):
                low[axis] = min(low[axis], points[frame, point, axis])
                high[axis] = max(high[axis], points[frame, point, axis])
    for row in range(len(boxes)):
        box = boxes[row]
        reach = np.sqrt(box[3] * box[3] + box[5] * box[5]) + most
        if low[0] > box[0] + reach or high[0] < box[0] - reach or low[2] > box[2] + reach or high[2] < box[2] - reach:
            continue
        if low[1] > box[1] + box[4] + most or high[1] < box[1] - box[4] - most:
            continue
        for frame in range(frames):
            for point in range(count):
                extra = grow[point]
                x, y, z = points[frame, point, 0] - box[0], points[frame, point, 1] - box[1], points[frame, point, 2] - box[2]
                if (
                    abs(y) <= box[4] + extra
                    and abs(box[6] * x - box[7] * z) <= box[3] + extra
                    and abs(box[7] * x + box[6] * z) <= box[5] + extra
                ):
                    found[row] = True
                    break
            if found[row]:
                break


@compiled
def _behind(boxes, points, eye, hidden):
    start, along = np.empty(3), np.empty(3)
    for row in range(len(boxes)):
        box = boxes[row]
        x, z = eye[0] - box[0], eye[2] - box[2]
        start[0], start[1], start[2] = box[6] * x - box[7] * z, eye[1] - box[1], box[7] * x + box[6] * z
        for point in range(len(points)):
            if hidden[point]:
                continue
            x, y, z = points[point, 0] - eye[0], points[point, 1] - eye[1], points[point, 2] - eye[2]
            along[0], along[1], along[2] = box[6] * x - box[7] * z, y, box[7] * x + box[6] * z
            near, far = -np.inf, np.inf
            for axis in range(3):
                half = box[3 + axis]
                if along[axis] == 0.0:
                    if abs(start[axis]) > half:
                        near = np.inf
                    continue
                first, last = (-half - start[axis]) / along[axis], (half - start[axis]) / along[axis]
                near, far = max(near, min(first, last)), min(far, max(first, last))
            if near > _NEAR and near <= far and (1.0 - near) * np.sqrt(x * x + y * y + z * z) > _DEEP:
                hidden[point] = True


@compiled
def _inside(points, polygon, inside):
    count = len(polygon)
    for row in range(len(points)):
        x, y = points[row, 0], points[row, 1]
        for corner in range(count):
            following = corner + 1 if corner + 1 < count else 0
            x1, y1, x2, y2 = polygon[corner, 0], polygon[corner, 1], polygon[following, 0], polygon[following, 1]
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside[row] = not inside[row]
