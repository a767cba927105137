"""Shadows of a moving body: cast by lamps, and ambient occlusion near what the body touches."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float32

from ..types import Light

MAP_SIZE = 96
"""Pixels along one side of a body's shadow map: about 2 cm each."""
LAMP_RADIUS = 0.18
"""Metres; how large a lamp is, which sets how fast a shadow softens away from the body."""
_SUNFLOWER = np.array(
    [(np.sqrt((i + 0.5) / 12) * np.cos(i * 2.399963), np.sqrt((i + 0.5) / 12) * np.sin(i * 2.399963)) for i in range(12)]
)


def contact_light(
    centers: Float[np.ndarray, "b 3"],
    radii: Float[np.ndarray, "b"],
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
) -> Float32[np.ndarray, "n"]:
    """Share of the ambient light that still reaches surface points beside a body made of balls, 0..1.

    A ball of radius r at distance d along the normal's side hides the cosine-weighted share (r/d)^2 cos of the sky.
    """
    points, normals, centers = (np.asarray(array, np.float32) for array in (points, normals, centers))
    # |c - p|^2 and (c - p).n for all pairs, as two matrix products.
    squared = np.einsum("nk,nk->n", points, points)[:, None] + np.einsum("bk,bk->b", centers, centers) - 2 * points @ centers.T
    squared = np.maximum(squared, (0.64 * radii**2).astype(np.float32))
    cosine = normals @ centers.T - np.einsum("nk,nk->n", normals, points)[:, None]
    cosine /= np.sqrt(squared)
    hidden = np.clip(cosine + np.float32(0.1), 0.0, 1.0) * np.minimum((radii**2).astype(np.float32) / squared, np.float32(0.95))
    return np.prod(1 - hidden, axis=1)


class BodyShadow:
    """One lamp's view of a body, as a small depth map splatted from its vertices."""

    def __init__(self, lamp: Light, blockers: Float[np.ndarray, "v 3"]) -> None:
        middle = (blockers.min(0) + blockers.max(0)) / 2
        if lamp.kind == "directional":
            self._eye = middle + lamp.position / np.linalg.norm(lamp.position) * 50
            self._lamp_radius = LAMP_RADIUS * 20
        else:
            self._eye = np.asarray(lamp.position, np.float64)
            self._lamp_radius = LAMP_RADIUS
        forward = middle - self._eye
        forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
        side = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        self._axes = np.stack([side, np.cross(forward, side), forward], axis=1).astype(np.float32)
        local = self._local(blockers)
        ahead = local[:, 2] > 0.1
        local = local[ahead] if ahead.any() else np.array([[0, 0, 1.0]], np.float32)
        spread = np.abs(local[:, :2] / local[:, 2:]).max()
        self._focal = (MAP_SIZE / 2 - 4) / min(max(float(spread), 1e-3), 3.0)
        self._middle_z = float(np.median(local[:, 2]))
        self._near_z = float(local[:, 2].min())
        nearest = np.full(MAP_SIZE * MAP_SIZE, np.inf, np.float32)
        column, row, inside = self._pixels(local)
        np.minimum.at(nearest, (row * MAP_SIZE + column)[inside], local[inside, 2])
        # Vertices leave holes between them; the minimum over a neighbourhood closes them.
        self._nearest = cv2.erode(nearest.reshape(MAP_SIZE, MAP_SIZE), np.ones((3, 3), np.uint8))

    def _local(self, points: np.ndarray) -> np.ndarray:
        return (points - self._eye).astype(np.float32) @ self._axes

    def _pixels(self, local: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        z = np.maximum(local[:, 2], 1e-6)
        column = np.floor(local[:, 0] / z * self._focal + MAP_SIZE / 2)
        row = np.floor(local[:, 1] / z * self._focal + MAP_SIZE / 2)
        inside = (column >= 0) & (column < MAP_SIZE) & (row >= 0) & (row < MAP_SIZE) & (local[:, 2] > 0.1)
        return np.clip(column, 0, MAP_SIZE - 1).astype(np.int64), np.clip(row, 0, MAP_SIZE - 1).astype(np.int64), inside

    def visibility(self, points: Float[np.ndarray, "n 3"], bias: float = 0.03, looks: int = 12) -> Float32[np.ndarray, "n"]:
        """Share of the lamp that each point sees past the body, 0..1; softer the farther the point is behind it."""
        local = self._local(points)
        share = np.ones(len(points), np.float32)
        column, row, inside = self._pixels(local)
        inside = np.flatnonzero(inside & (local[:, 2] > self._near_z))
        column, row, z = column[inside], row[inside], local[inside, 2]
        blocker = self._nearest[row, column]
        blocker = np.where(blocker < z, blocker, np.minimum(self._middle_z, z - 0.1))
        blocker = np.maximum(blocker, 0.1)
        radius = np.maximum(self._focal * self._lamp_radius * (z - blocker) / (z * blocker), 0.7)
        lit = np.zeros(len(inside), np.float32)
        for x, y in _SUNFLOWER[:: len(_SUNFLOWER) // looks]:
            column_there = np.clip((column + 0.5 + x * radius).astype(np.int64), 0, MAP_SIZE - 1)
            row_there = np.clip((row + 0.5 + y * radius).astype(np.int64), 0, MAP_SIZE - 1)
            lit += self._nearest[row_there, column_there] > z - bias
        share[inside] = lit / looks
        return share
