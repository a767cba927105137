"""Seats, beds and obstacles from a point cloud over a known floor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ...types import Obstacle, Surface

_CELL = 0.05
"""Grid on the floor plan for surfaces, metres."""
_SEAT_HEIGHT, _BED_HEIGHT = (0.33, 0.60), (0.33, 0.68)
_SEAT_AREA, _BED_AREA = 0.08, 0.9
"""Least areas, square metres."""
_BOX = 0.2
"""Grid for obstacles, metres."""


def find_surfaces(points: Float[np.ndarray, "n 3"], upward: Bool[np.ndarray, "n"]) -> tuple[Surface, ...]:
    """Level patches at sitting or lying height, largest first.

    Args:
        points: World, metres.
        upward: Which of them face up.
    Returns:
        Beds (at least 0.9 square metres, 0.7 m wide) and chairs (0.08 to 0.9 square metres and no longer than 1 m).
    """
    import cv2

    low = upward & (points[:, 1] > _SEAT_HEIGHT[0]) & (points[:, 1] < _BED_HEIGHT[1])
    if low.sum() < 20:
        return ()
    level = points[low]
    origin = level[:, [0, 2]].min(axis=0) - _CELL
    cells = np.floor((level[:, [0, 2]] - origin) / _CELL).astype(int)
    layers = np.floor((level[:, 1] - _SEAT_HEIGHT[0]) / 0.08).astype(int)
    found = []
    for layer in range(layers.max() + 1):
        chosen = (layers == layer) | (layers == layer + 1)
        grid = np.zeros(cells.max(axis=0) + 2, np.uint8)
        grid[tuple(cells[chosen].T)] = 1
        grid = cv2.morphologyEx(grid, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, labels = cv2.connectedComponents(grid)
        for label in range(1, count):
            members = np.flatnonzero(chosen)[labels[tuple(cells[chosen].T)] == label]
            surface = _surface(level[members], (labels == label).sum() * _CELL**2, points)
            if surface is not None:
                found.append(surface)
    found.sort(key=lambda s: -s.size[0] * s.size[1])
    kept: list[Surface] = []
    for surface in found:
        if all(np.linalg.norm(surface.center[[0, 2]] - k.center[[0, 2]]) > 0.4 * max(k.size) for k in kept):
            kept.append(surface)
    return tuple(kept)


def _surface(level: np.ndarray, area: float, points: np.ndarray) -> Surface | None:
    import cv2

    if len(level) < 12 or area < _SEAT_AREA:
        return None
    (cx, cz), (a, b), angle = cv2.minAreaRect(level[:, [0, 2]].astype(np.float32))
    y = float(np.median(level[:, 1]))
    center = np.array([cx, y, cz])
    # cv2's angle turns (x, z) from x towards z; our yaw turns +z towards +x
    along = -np.radians(angle)
    if area >= _BED_AREA and min(a, b) >= 0.7:
        size, yaw = ((a, b), along) if b >= a else ((b, a), along + np.pi / 2)
        return Surface(kind="bed", center=center, size=(float(size[0]), float(size[1])), yaw=float(yaw))
    if y > _SEAT_HEIGHT[1] or max(a, b) > 1.0 or min(a, b) < 0.22:
        return None
    near = np.linalg.norm(points[:, [0, 2]] - center[[0, 2]], axis=1) < 0.75 * max(a, b)
    back = points[near & (points[:, 1] > y + 0.15) & (points[:, 1] < y + 0.7)]
    facing = center[[0, 2]] - back[:, [0, 2]].mean(axis=0) if len(back) > 10 else -center[[0, 2]]
    heading = float(np.arctan2(facing[0], facing[1]))
    yaw = along + np.pi / 2 * round((heading - along) / (np.pi / 2))
    across, deep = (a, b) if round((yaw - along) / (np.pi / 2)) % 2 == 0 else (b, a)
    return Surface(kind="chair", center=center, size=(float(across), float(deep)), yaw=float(yaw))


def find_obstacles(points: Float[np.ndarray, "n 3"], floor: Float[np.ndarray, "m 2"]) -> tuple[Obstacle, ...]:
    """Upright boxes over everything between 0.12 and 1.9 m high on and around the floor, from a 0.2 m grid.

    Occupied cells are merged, row by row, into rectangles of about one height.
    """
    low, high = floor.min(axis=0) - 0.5, floor.max(axis=0) + 0.5
    plan = points[:, [0, 2]]
    body = points[(points[:, 1] > 0.12) & (points[:, 1] < 1.9) & (plan > low).all(axis=1) & (plan < high).all(axis=1)]
    shape = np.ceil((high - low) / _BOX).astype(int) + 1
    cells = np.floor((body[:, [0, 2]] - low) / _BOX).astype(int)
    count, top = np.zeros(shape, int), np.zeros(shape)
    np.add.at(count, tuple(cells.T), 1)
    np.maximum.at(top, tuple(cells.T), body[:, 1])
    occupied = count >= 3
    boxes = []
    while occupied.any():
        i, k = np.argwhere(occupied)[0]
        alike = occupied & (np.abs(top - top[i, k]) < 0.35)
        wide = 1
        while k + wide < shape[1] and alike[i, k + wide]:
            wide += 1
        deep = 1
        while i + deep < shape[0] and alike[i + deep, k : k + wide].all():
            deep += 1
        block = (slice(i, i + deep), slice(k, k + wide))
        tall = float(top[block].max())
        corner = low + _BOX * np.array([i, k])
        boxes.append(
            Obstacle(
                name=f"obstacle{len(boxes)}",
                center=np.array([corner[0] + _BOX * deep / 2, tall / 2, corner[1] + _BOX * wide / 2]),
                size=np.array([_BOX * deep, tall, _BOX * wide]),
            )
        )
        occupied[block] = False
    return tuple(boxes)
