"""The floor under a calibrated camera: its visible part, where people walked, and its depth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from ...geometry import depth_to_floor, floor_points, pixel_grid, pixel_rays
from ...polygon import clip_convex, convex_hull, inside_polygon
from ...types import Camera
from .calibrate import Calibration

LEAST_FEET = 5
"""Least number of places for a walked floor."""


def visible_floor(calibration: Calibration, content: tuple[int, int, int, int], *, reach: float = 8.0) -> np.ndarray:
    """The part of the floor inside the picture and within ``reach`` metres in depth: polygon (n, 2) of (x, z).

    Raises:
        ValueError: If the picture shows no floor (the camera looks up).
    """
    x0, y0, x1, y1 = content
    border = np.concatenate([np.stack([np.linspace(x0, x1, 9), np.full(9, y)], axis=1) for y in np.linspace(y1, y0, 400)])
    points = floor_points(border, calibration.camera)
    points = points[(points[:, 1] <= reach) & (np.abs(points[:, 0]) <= reach)]
    if len(points) < 3 or np.ptp(points[:, 1]) < 0.2:
        raise ValueError(
            f"no floor in the picture: with pitch {np.degrees(calibration.pitch):.1f} deg and height {calibration.height:.2f} "
            "m the camera sees none within reach; check --pitch (positive looks down), --camera-height and --focal"
        )
    return convex_hull(points)


def walked_floor(feet: Float[np.ndarray, "n 2"], seen: Float[np.ndarray, "m 2"], *, margin: float = 0.6) -> np.ndarray:
    """The floor people stood on, widened by ``margin`` metres and cut to what the camera sees; polygon (n, 2).

    The outermost hundredth of the feet is left out, as outliers. With too few feet, all of ``seen``.
    """
    if len(feet) < LEAST_FEET:
        return seen
    middle = np.median(feet, axis=0)
    away = np.linalg.norm(feet - middle, axis=1)
    feet = feet[away <= np.percentile(away, 99)]
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = margin * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    hull = convex_hull((convex_hull(feet)[:, None] + disc).reshape(-1, 2))
    cut = clip_convex(hull, seen)
    return cut if len(cut) >= 3 else seen


def floor_for_scale(feet: Float[np.ndarray, "n 2"], seen: Float[np.ndarray, "m 2"]) -> np.ndarray | None:
    """The floor that depth maps are scaled with, a polygon (x, z): where people stood, or all of ``seen`` if nobody did.

    None if they stood outside the picture: the visible floor is then mostly covered by furniture.
    """
    floor = walked_floor(feet, seen)
    return None if floor is seen and len(feet) >= LEAST_FEET else floor


def floor_buffer(camera: Camera, floor: Float[np.ndarray, "n 2"]) -> Float32[np.ndarray, "h w"]:
    """z-depth of the floor inside a polygon (x, z), metres; 0 elsewhere."""
    pixels = pixel_grid(camera.height, camera.width).reshape(-1, 2)
    inside = inside_polygon(floor_points(pixels, camera), floor)
    depth = np.where(inside, depth_to_floor(pixel_rays(pixels, camera), camera.T_world_camera[1, 3]), 0.0)
    return depth.reshape(camera.height, camera.width).astype(np.float32)
