"""What people stand on and what is in their way in a room, as arrays: tests of many points in compiled code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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
    """The floor and boxes of a room; scenes that share all of these (``replace(scene, camera=...)``) share the answer."""
    parts = (scene.floor, scene.obstacles, scene.surfaces)
    key = tuple(map(id, parts))
    if key not in _known:
        floor = np.ascontiguousarray(scene.floor, np.float64)
        made = Solid(floor=floor, blocking=box_rows(blocking_boxes(scene)), hiding=box_rows(hiding_boxes(scene)))
        # The parts are kept with it: so no other object has their identity.
        _known[key] = (parts, made)
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return _known[key][1]


_KEPT = 64
_known: OrderedDict[tuple[int, ...], tuple[tuple, Solid]] = OrderedDict()


def box_rows(boxes: Sequence[Obstacle]) -> Boxes:
    """Boxes as rows of numbers."""
    rows = np.empty((len(boxes), 8))
    for row, box in zip(rows, boxes, strict=True):
        row[:3], row[3:6], row[6], row[7] = box.center, box.size, np.cos(box.yaw), np.sin(box.yaw)
    rows[:, 3:6] /= 2
    return rows


@compiled
def in_some_box(boxes, passed, points, grow):
    """Whether a point lies in a box; for compiled code.

    Args:
        boxes: As ``box_rows`` gives them.
        passed: Boxes left out. Shape (b).
        points: World, metres. Shape (t, p, 3).
        grow: What each point keeps from a box: it counts as larger by that on all sides, metres. Shape (p).
    """
    low, high, most = np.empty((len(points), 3)), np.empty((len(points), 3)), grow.max()
    _bounds(points, low, high)
    for row in range(len(boxes)):  # noqa: SIM110 - compiled
        if not passed[row] and _in_box(boxes[row], points, grow, most, low, high):
            return True
    return False


@compiled
def on_floor(x, z, polygon):
    """Whether a point lies on the floor; for compiled code."""
    count, inside = len(polygon), False
    for corner in range(count):
        following = corner + 1 if corner + 1 < count else 0
        x1, z1, x2, z2 = polygon[corner, 0], polygon[corner, 1], polygon[following, 0], polygon[following, 1]
        if (z1 > z) != (z2 > z) and x < (x2 - x1) * (z - z1) / (z2 - z1) + x1:
            inside = not inside
    return inside


@compiled
def behind_some_box(boxes, point, eye):
    """Whether a box lies between ``eye`` and a point, and the point outside or deep in it; for compiled code."""
    x, y, z = point[0] - eye[0], point[1] - eye[1], point[2] - eye[2]
    length = np.sqrt(x * x + y * y + z * z)
    for row in range(len(boxes)):
        box = boxes[row]
        ex, ez = eye[0] - box[0], eye[2] - box[2]
        near, far = _slab(box[6] * ex - box[7] * ez, box[6] * x - box[7] * z, box[3], -np.inf, np.inf)
        near, far = _slab(eye[1] - box[1], y, box[4], near, far)
        near, far = _slab(box[7] * ex + box[6] * ez, box[7] * x + box[6] * z, box[5], near, far)
        if near > _NEAR and near <= far and (1.0 - near) * length > _DEEP:
            return True
    return False


@compiled
def _slab(start, along, half, near, far):
    # The part of a line, as shares of the way, that is also between two parallel planes.
    if along == 0.0:
        return (np.inf if abs(start) > half else near), far
    first, last = (-half - start) / along, (half - start) / along
    return max(near, min(first, last)), min(far, max(first, last))


@compiled
def _bounds(points, low, high):
    for frame in range(len(points)):
        for axis in range(3):
            least, most = np.inf, -np.inf
            for point in range(points.shape[1]):
                least, most = min(least, points[frame, point, axis]), max(most, points[frame, point, axis])
            low[frame, axis], high[frame, axis] = least, most


@compiled
def _in_box(box, points, grow, most, low, high):
    reach, tall = np.sqrt(box[3] * box[3] + box[5] * box[5]) + most, box[4] + most
    for frame in range(len(points)):
        # A room has more boxes than a body comes near to.
        if low[frame, 0] > box[0] + reach or high[frame, 0] < box[0] - reach:
            continue
        if low[frame, 2] > box[2] + reach or high[frame, 2] < box[2] - reach:
            continue
        if low[frame, 1] > box[1] + tall or high[frame, 1] < box[1] - tall:
            continue
        for point in range(points.shape[1]):
            extra = grow[point]
            x, y, z = points[frame, point, 0] - box[0], points[frame, point, 1] - box[1], points[frame, point, 2] - box[2]
            if (
                abs(y) <= box[4] + extra
                and abs(box[6] * x - box[7] * z) <= box[3] + extra
                and abs(box[7] * x + box[6] * z) <= box[5] + extra
            ):
                return True
    return False
