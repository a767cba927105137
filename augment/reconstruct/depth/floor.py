"""Floor and gravity from a depth picture, and the world over that floor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from ...geometry import invert_transform, pixel_grid, rigid, unproject

_SEED = 0
"""Seed of the RANSAC draws: the same points always give the same floor."""
_UPRIGHT = np.cos(np.radians(50))
"""A floor's normal is within 50 degrees of the camera's own up axis: cameras are about upright and look down a little."""


def pitch_deg(T_world_camera: Float[np.ndarray, "4 4"]) -> float:
    """Pitch of a camera, degrees, positive looking down."""
    return float(np.degrees(np.arcsin(np.clip(-T_world_camera[1, 2], -1, 1))))


def points_and_normals(
    depth: Float32[np.ndarray, "h w"], K: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Points (metres, camera frame) with unit normals towards the camera, at every fourth pixel or so.

    The depth is smoothed over its known neighbours first; at depth jumps there is no normal and the point is left out.
    """
    import cv2

    step = max(1, round(depth.shape[0] / 160))
    known = (depth > 0).astype(np.float32)
    box = (2 * step + 1,) * 2
    weight = cv2.blur(known, box)
    smooth = cv2.blur(depth, box) / np.maximum(weight, 1e-6)
    spread = cv2.blur(depth.astype(np.float32) ** 2, box) / np.maximum(weight, 1e-6) - smooth**2
    good = (weight > 0.8) & (np.sqrt(np.maximum(spread, 0)) < 0.03 * np.maximum(smooth, 1e-3))
    grid = slice(step // 2, None, step)
    z, good = smooth[grid, grid].astype(float), good[grid, grid]
    points = unproject(pixel_grid(*depth.shape)[grid, grid], z, K)
    across, down = np.zeros_like(points), np.zeros_like(points)
    across[:, 1:-1], down[1:-1] = points[:, 2:] - points[:, :-2], points[2:] - points[:-2]
    normals = np.cross(down, across)
    length = np.linalg.norm(normals, axis=-1)
    beside = np.zeros_like(good)
    beside[1:-1, 1:-1] = good[1:-1, 2:] & good[1:-1, :-2] & good[2:, 1:-1] & good[:-2, 1:-1]
    use = good & beside & (length > 1e-12)
    normals = normals[use] / length[use][:, None]
    points = points[use]
    towards = np.sign(-np.einsum("nc,nc->n", normals, points))
    return points, normals * towards[:, None]


def find_floor(points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """The lowest sizeable plane that faces up: its normal (camera frame, unit) and the camera's height above it, metres.

    RANSAC over the upward-facing points gives the direction of up, which all level surfaces share; the lowest level along it
    with enough points and almost none below is the floor, and a plane is fitted to it.

    Raises:
        ValueError: If there is none.
    """
    facing = normals @ np.array([0.0, -1.0, 0.0]) > _UPRIGHT
    if facing.sum() < max(40, 0.005 * len(points)):
        raise _no_floor(f"only {int(facing.sum())} of {len(points)} points face upwards")
    level, directions = points[facing], normals[facing]
    rng = np.random.default_rng(_SEED)
    best, up = -1, None
    for pick in rng.integers(len(level), size=200):
        near = np.linalg.norm(level - level[pick], axis=1) < 0.15
        candidate = directions[near].mean(axis=0)
        candidate /= np.linalg.norm(candidate)
        inliers = (np.abs((level - level[pick]) @ candidate) < 0.02 + 0.005 * level[:, 2]) & (directions @ candidate > 0.96)
        if inliers.sum() > best:
            best, up = int(inliers.sum()), _fit_plane(level[inliers], candidate)[0]
    assert up is not None
    offset = 0.0
    for _ in range(2):
        aligned = directions @ up > 0.96
        heights = level[aligned] @ up
        if len(heights) < 40:
            raise _no_floor("the upward-facing points lie on no common plane")
        floor_at = _lowest_level(heights, points @ up)
        on = np.abs(level @ up - floor_at) < 0.03 + 0.008 * level[:, 2]
        up, offset = _fit_plane(level[on & aligned], up)
    height = -offset
    if not 0.25 < height < 6.0:
        raise _no_floor(f"the lowest level plane lies {height:.2f} m below the camera")
    return up, height


def _no_floor(why: str) -> ValueError:
    return ValueError(
        f"no floor found in the depth picture ({why}). The camera must be about upright and see some floor: turn the pictures "
        "the right way up, check --depth-scale, or take another frame"
    )


def _fit_plane(points: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, float]:
    """Least-squares plane: unit normal on the side of ``up``, and its offset ``normal . p``."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    normal = normal * np.sign(normal @ up)
    return normal, float(normal @ middle)


def _lowest_level(level_heights: np.ndarray, all_heights: np.ndarray) -> float:
    """Height of the lowest peak among level points: at least a twentieth of the highest peak, 98 % of all points above."""
    edges = np.arange(level_heights.min() - 0.05, level_heights.max() + 0.1, 0.04)
    if len(edges) < 3:
        return float(np.median(level_heights))
    counts, _ = np.histogram(level_heights, edges)
    counts = np.convolve(counts, [0.5, 1, 0.5], "same")
    below = np.searchsorted(np.sort(all_heights), edges[:-1] - 0.06) / len(all_heights)
    for k in np.flatnonzero(counts >= max(15.0, 0.05 * counts.max())):
        peak = k + int(np.argmax(counts[k : k + 3]))
        if below[peak] < 0.1:
            near = np.abs(level_heights - (edges[peak] + 0.02)) < 0.05
            return float(np.median(level_heights[near]))
    return float(edges[int(counts.argmax())] + 0.02)


def world_from_floor(up: Float[np.ndarray, "3"], height: float) -> Float[np.ndarray, "4 4"]:
    """T_world_camera of a camera ``height`` metres above a floor whose normal in its own frame is ``up``."""
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    forward /= np.linalg.norm(forward)
    T_camera_world = rigid(np.stack([np.cross(up, forward), up, forward], axis=1), -height * up)
    return invert_transform(T_camera_world)
