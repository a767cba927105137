"""Measures of physical plausibility of a motion, from joints or vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from ..geometry import Array
from ..raster.shading import vertex_normals
from .contacts import standing_steps


def foot_skate(joints: Float[np.ndarray, "t 24 3"], contacts: Float[np.ndarray, "t 4"], fps: float) -> float:
    """Mean horizontal speed of the feet while in contact, metres a second; 0 if nothing is ever in contact.

    A frame-to-frame step counts where the foot is in contact at both of its ends.
    """
    steps, standing = standing_steps(np.asarray(joints, np.float64), contacts)
    total = float(standing.sum())
    if total == 0:
        return 0.0
    speed = np.linalg.norm(steps[..., [0, 2]], axis=-1) * fps
    return float((speed * standing).sum() / total)


def depth_below_floor(points: Array, radius: Array = 0.0) -> Array:
    """How far points (*batch, 3), or balls of this radius about them, reach below the floor (y = 0), metres, at least 0."""
    return (radius - points[..., 1]).clip(min=0.0)


def floor_penetration(points: Float[np.ndarray, "t n 3"]) -> float:
    """Mean over frames of how deep the lowest point lies below the floor (y = 0), metres."""
    return float(depth_below_floor(np.asarray(points)).max(axis=1).mean())


def jitter(joints: Float[np.ndarray, "t j 3"], fps: float) -> float:
    """Mean magnitude of the joints' jerk (third difference), metres / s^3; 0 for fewer than four frames."""
    if len(joints) < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(np.asarray(joints, np.float64), n=3, axis=0), axis=-1).mean() * fps**3)


def overlap(
    one: Float[np.ndarray, "t v 3"], other: Float[np.ndarray, "t w 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, " t"]:
    """How deep skin of one body is in another one, metres, in every frame; 0 where they are apart.

    A vertex is as deep as it lies behind the nearest vertex of the other body, along that one's normal.

    Args:
        one: Vertices of a body, world.
        other: Vertices of another one.
        faces: Its triangles.
    """
    depth = np.zeros(len(one))
    for frame, (points, skin) in enumerate(zip(one, other, strict=True)):
        low, high = skin.min(axis=0), skin.max(axis=0)
        points = points[((points > low) & (points < high)).all(axis=1)]
        skin_near = np.flatnonzero(((skin > points.min(0) - 0.1) & (skin < points.max(0) + 0.1)).all(1)) if len(points) else []
        if not len(skin_near):
            continue
        distance, nearest = KDTree(skin[skin_near]).query(points, distance_upper_bound=0.1)
        found = np.isfinite(distance)
        if found.any():
            rows = skin_near[np.asarray(nearest)[found]]
            behind = ((skin[rows] - points[found]) * vertex_normals(skin, faces)[rows]).sum(axis=1)
            depth[frame] = max(float(behind.max()), 0.0)
    return depth
