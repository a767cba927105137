"""Polygons in the plane, as rows of corners; on the floor a point is (x, z) in metres."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def inside_polygon(points: Float[np.ndarray, "*batch 2"], polygon: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "*batch"]:
    """Whether 2D points lie inside a simple polygon (even-odd rule).

    Args:
        points: Shape (*batch, 2).
        polygon: Shape (n, 2), in either direction.
    Returns:
        Shape (*batch,), bool.
    """
    inside = np.zeros(points.shape[:-1], bool)
    x, y = points[..., 0], points[..., 1]
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def polygon_area(polygon: Float[np.ndarray, "n 2"]) -> float:
    """Area of a simple polygon, in its unit squared; positive in either direction."""
    x, z = np.asarray(polygon, float).T
    return float(abs(x @ np.roll(z, -1) - z @ np.roll(x, -1)) / 2)


def convex_hull(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """Corners of the convex hull, counter-clockwise seen from above (+y): from +x over -z, as in ``Scene.floor``."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:
        low, high = points.min(axis=0) - 0.05, points.max(axis=0) + 0.05
        corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    return corners[::-1]


def clip_convex(polygon: Float[np.ndarray, "n 2"], window: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "k 2"]:
    """Intersection of two convex polygons in ``convex_hull``'s order (Sutherland-Hodgman)."""
    result = polygon
    for a, b in zip(window, np.roll(window, -1, axis=0), strict=True):
        if not len(result):
            break
        normal = np.array([-(b - a)[1], (b - a)[0]])
        side = (result - a) @ normal
        kept = []
        for p, q, sp, sq in zip(result, np.roll(result, -1, axis=0), side, np.roll(side, -1), strict=True):
            if sp <= 0:
                kept.append(p)
            if (sp < 0 < sq) or (sq < 0 < sp):
                kept.append(p + (q - p) * sp / (sp - sq))
        result = np.array(kept)
    return result
