"""Lens distortion of points in front of a camera, at z = 1: Brown's model and the fisheye, as OpenCV defines them; NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from .types import Lens

COEFFICIENTS = {"brown": 5, "fisheye": 4}
"""Kind of lens to its number of coefficients."""


def check_lens(lens: Lens) -> None:
    """Raises ValueError unless the kind is known and has its number of coefficients."""
    if lens.kind not in COEFFICIENTS:
        raise ValueError(f"unknown lens {lens.kind!r}; expected one of: {', '.join(COEFFICIENTS)}")
    if len(lens.coefficients) != COEFFICIENTS[lens.kind]:
        names = "k1, k2, p1, p2, k3" if lens.kind == "brown" else "k1, k2, k3, k4"
        raise ValueError(f"lens {lens.kind!r}: expected the coefficients {names}, found {len(lens.coefficients)} numbers")


def distort(points: Float[np.ndarray, "*batch 2"], lens: Lens) -> Float[np.ndarray, "*batch 2"]:
    """Where the lens puts points.

    Args:
        points: x / z and y / z in the camera frame. Shape (*batch, 2).
    Returns:
        The same, after the lens; times K they are pixels. Beyond the radius at which Brown's polynomial turns back, its last
        factor is kept, so that points outside the picture stay outside.
    Source:
        OpenCV documentation, "Camera Calibration and 3D Reconstruction" and "Fisheye camera model".
    """
    points = np.asarray(points, np.float64)
    return (_fisheye if lens.kind == "fisheye" else _brown)(points, lens.coefficients)


def undistort(points: Float[np.ndarray, "*batch 2"], lens: Lens) -> Float[np.ndarray, "*batch 2"]:
    """Inverse of ``distort``; points that no direction in front of the camera reaches give large numbers."""
    points = np.asarray(points, np.float64)
    if lens.kind == "fisheye":
        bent = np.linalg.norm(points, axis=-1, keepdims=True)
        angle = _newton(lambda a: a * _radial(a * a, lens.coefficients), np.minimum(bent, 1.5), bent)
        angle = np.clip(angle, 0.0, np.pi / 2 - 1e-6)
        return points * np.where(bent > 1e-9, np.tan(angle) / np.maximum(bent, 1e-12), 1.0)
    found = points.copy()
    for _ in range(30):
        # Newton's step with differences: the tangential part couples the axes.
        here, small = _brown(found, lens.coefficients), 1e-6
        (a, c), (b, d) = ((_brown(found + small * e, lens.coefficients) - here).T / small for e in np.eye(2))
        miss = (here - points).T
        determinant = np.where(np.abs(a * d - b * c) > 1e-9, a * d - b * c, 1e-9)
        step = np.stack([d * miss[0] - b * miss[1], a * miss[1] - c * miss[0]]) / determinant
        found = found - np.clip(step, -0.5, 0.5).T
    return found


def _radial(square: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """1 + c1 s + c2 s^2 + ..."""
    factor = np.zeros_like(square)
    for coefficient in reversed(coefficients):
        factor = (factor + coefficient) * square
    return 1 + factor


def _brown(points: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[..., :1], points[..., 1:]
    square = x * x + y * y
    inside = np.minimum(square, _turn(k1, k2, k3) ** 2)
    factor = _radial(inside, (k1, k2, k3))
    # The tangential part grows with the square as well: beyond the turn it is kept at its share.
    share = np.sqrt(inside / np.maximum(square, 1e-12))
    slant_x, slant_y = 2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y
    return np.concatenate([x * factor + slant_x * share, y * factor + slant_y * share], axis=-1)


@lru_cache(maxsize=64)
def _turn(k1: float, k2: float, k3: float) -> float:
    """Radius at which the distorted radius stops growing; large if it never does."""
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])
    real = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)].real
    return float(np.sqrt(real.min())) if len(real) else 1e3


def _fisheye(points: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    angle = np.arctan(radius)
    bent = angle * _radial(angle * angle, coefficients)
    return points * np.where(radius > 1e-9, bent / np.maximum(radius, 1e-12), 1.0)


def _newton(function: Callable[[np.ndarray], np.ndarray], start: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Solve function(a) = value elementwise."""
    found = start
    for _ in range(30):
        slope = (function(found + 1e-6) - function(found - 1e-6)) / 2e-6
        found = found - np.clip((function(found) - value) / np.where(np.abs(slope) > 1e-6, slope, 1e-6), -0.5, 0.5)
    return found
