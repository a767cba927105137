"""A camera's effects on a clip: exposure, blur, noise; and how well joints are seen in its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from .view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A camera's effects on a clip; drawn once per clip."""

    blur: float = 0.35
    """Radius (sigma) that softens people to the plate's sharpness, pixels at 224 px height."""
    noise: float = 1.0
    """Sensor noise, standard deviation in 8-bit steps at middle grey."""
    exposure: float = 1.0
    """Factor on the light that falls on people."""
    shadow: float = 1.0
    """Strength of cast shadows; 1 = all of a lamp's light is missing in its shadow."""


def sample_style(*, rng: np.random.Generator) -> Style:
    """Draw a camera."""
    return Style(
        blur=float(rng.uniform(0.1, 0.45)),
        noise=float(rng.gamma(2.0, 0.6)),
        exposure=float(np.exp(rng.normal(0.0, 0.08))),
        shadow=float(rng.uniform(0.75, 1.0)),
    )


TILE = 192
"""Pixels along a side of the tile of noise."""


class Grain:
    """Sensor noise of each frame, cut at drawn places from one repeated tile (drawing anew is slower and looks the same)."""

    def __init__(self, view: View, style: Style, *, rng: np.random.Generator) -> None:
        height, width = view.depth.shape
        tile = rng.standard_normal((TILE, TILE, 1 if view.grey else 3), dtype=np.float32) * np.float32(style.noise)
        tile = np.broadcast_to(tile, (TILE, TILE, 3)).reshape(TILE, -1)
        rows, columns = np.arange(height + TILE) % TILE, np.arange(3 * (width + TILE)) % (3 * TILE)
        self.field: Float32[np.ndarray, "hh ww"] = np.ascontiguousarray(tile[rows][:, columns])
        """8-bit steps, three channels side by side."""
        self._rng = rng

    def next(self) -> tuple[int, int, np.float32]:
        """Row and column of the field where the next frame's noise begins, and its sign."""
        row, column, sign = self._rng.integers(TILE), self._rng.integers(TILE), self._rng.integers(2)
        return int(row), 3 * int(column), np.float32(1 - 2 * sign)


def joint_visibility(
    joints2d: Float[np.ndarray, "j 2"],
    z: Float[np.ndarray, "j"],
    mask: UInt8[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    person: int,
) -> Float32[np.ndarray, "j"]:
    """Confidence of 2D joints: 1 seen, 0.5 hidden behind the person's own body, 0 out of the picture or behind something else.

    Joints lie inside the body, so one up to 20 cm behind the surface that covers it counts as seen.
    """
    height, width = mask.shape
    column, row = np.floor(joints2d[:, 0]).astype(int), np.floor(joints2d[:, 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (z > 0)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    front, who = depth[row, column], mask[row, column]
    behind = (front > 0) & (z > front + 0.20)
    own = who == person
    covered = np.where(own, np.where(behind, 0.5, 1.0), np.where((front > 0) & (z > front + 0.06), 0.0, 1.0))
    return np.where(inside, covered, 0.0).astype(np.float32)
