"""A camera's effects on a clip: exposure, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

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
