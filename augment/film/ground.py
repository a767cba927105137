"""What shadows fall on: a view's surfaces, at every pixel and on a lattice of every few pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compiled import compiled
from .view import View

LATTICE_ROWS = 75
"""About as many lattice rows as this are computed whatever the picture's height (somewhat more of small pictures)."""
RUN = 8
"""Lattice points side by side that are passed over together where no shadow can fall."""
UNKNOWN = -2.0
"""Stands for shares that have not been computed yet."""


class Ground(NamedTuple):
    """What shadows fall on: a view's surfaces, at every pixel and on the lattice."""

    step: int
    """Pixels from one lattice point to the next."""
    points: np.ndarray
    """(h, w, 3) f32, world, metres, 2 cm in front of the surface."""
    normals: np.ndarray
    """(h, w, 3) f32."""
    ambient: np.ndarray
    """(h, w) f32; 0 where no surface is known, which no shadow then changes."""
    direct: np.ndarray
    """(l, h, w) f32."""
    runs: np.ndarray
    """(a, r, 6, RUN) f32: x, y, z and normal of the lattice points, side by side; the last row and column are the picture's."""
    lattice_ambient: np.ndarray
    """(a, b) f32"""
    lattice_direct: np.ndarray
    """(l, a, b) f32"""
    lattice_scale: np.ndarray
    """(a, b) f32: 1 / all light."""
    spheres: np.ndarray
    """(a, r, 4) f32: centre and radius of a sphere around each run of ``RUN`` lattice points; radius -1 without a surface."""
    rows: np.ndarray
    """(a) int32: picture row of each lattice row."""
    columns: np.ndarray
    """(b) int32"""
    even: np.ndarray
    """(a - 1, b - 1) bool: all pixels between four lattice points lie on one surface."""
    shares: np.ndarray
    """(h, w, 4) f32, of pixels in other cells: see ``share_corners``. The first is ``UNKNOWN`` until it is needed."""


def ground_of(view: View) -> Ground:
    """A view's surfaces as shadows need them."""
    height, width = view.depth.shape
    step = max(int(height / LATTICE_ROWS + 0.75), 1)
    rows = np.append(np.arange(0, height - 1, step), height - 1).astype(np.int32)
    columns = np.append(np.arange(0, width - 1, step), width - 1).astype(np.int32)
    normals = np.ascontiguousarray(view.normals, np.float32)
    points = (view.points + np.float32(0.02) * normals).astype(np.float32)
    ambient = np.where(view.solid, view.ambient, 0).astype(np.float32)
    direct = np.where(view.solid, view.direct, 0).astype(np.float32)

    def lattice(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array[..., rows, :][..., columns])

    even = np.zeros((len(rows) - 1, len(columns) - 1), bool)
    _find_even_cells(points, normals, view.solid, rows, columns, even)
    ambient_there, direct_there = lattice(ambient), lattice(direct)
    surface = np.concatenate([array[rows][:, columns] for array in (points, normals)], axis=2)
    fill = -len(columns) % RUN
    runs = np.pad(surface, ((0, 0), (0, fill), (0, 0))).reshape(len(rows), -1, RUN, 6).transpose(0, 1, 3, 2)
    shares = np.full((height, width, 4), UNKNOWN, np.float32)
    spheres = _spheres(runs, np.pad(lattice(view.solid), ((0, 0), (0, fill))).reshape(len(rows), -1, 1, RUN))
    return Ground(
        step=step, points=points, normals=normals, ambient=ambient, direct=direct, runs=np.ascontiguousarray(runs),
        lattice_ambient=ambient_there, lattice_direct=direct_there,
        lattice_scale=1 / np.maximum(ambient_there + direct_there.sum(0), np.float32(1e-6)), spheres=spheres,
        rows=rows, columns=columns, even=even, shares=shares,
    )  # fmt: skip


def _spheres(runs: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """A sphere around those points of every run that are solid (a, r, 1, RUN)."""
    points, some = runs[:, :, :3], solid.any(3)
    low, high = np.where(solid, points, 1e6).min(3), np.where(solid, points, -1e6).max(3)
    middle = (low + high) / 2
    away = np.sqrt(np.where(solid, (points - middle[..., None]) ** 2, 0).sum(2).max(2))[..., None]
    # A little more, for rounding.
    return np.concatenate([middle, np.where(some, away + 1e-3, -1)], axis=2).astype(np.float32)


@compiled
def _find_even_cells(points, normals, solid, rows, columns, even):
    one = np.float32(1)
    for a in range(even.shape[0]):
        for b in range(even.shape[1]):
            top, bottom, left, right = rows[a], rows[a + 1], columns[b], columns[b + 1]
            same = True
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    if not solid[row, column]:
                        same = False
                        continue
                    turned = np.float32(0)
                    away = np.float32(0)
                    v = np.float32(row - top) / np.float32(bottom - top)
                    u = np.float32(column - left) / np.float32(right - left)
                    for axis in range(3):
                        turned += normals[row, column, axis] * normals[top, left, axis]
                        upper = points[top, left, axis] * (one - u) + points[top, right, axis] * u
                        lower = points[bottom, left, axis] * (one - u) + points[bottom, right, axis] * u
                        off = points[row, column, axis] - upper * (one - v) - lower * v
                        away += off * off
                    if turned < 0.9 or away > 0.0009:
                        same = False
            even[a, b] = same


@compiled
def share_corners(ground, cell, row, column):
    """Write how much each lattice point around a pixel counts, if it lies on the pixel's own surface, into ``ground.shares``.

    Upper left, upper right, lower left, lower right; the first is -1 if hardly any lies on it.

    Args:
        ground: Of the view.
        cell: First and last row, first and last column.
        row, column: The pixel.
    """
    points, normals, shares, one = ground.points, ground.normals, ground.shares[row, column], np.float32(1)
    first, last, left, right = cell
    u, v = np.float32(column - left) / np.float32(right - left), np.float32(row - first) / np.float32(last - first)
    total = np.float32(0)
    for corner in range(4):
        y, x = last if corner // 2 else first, right if corner % 2 else left
        shares[corner] = (v if corner // 2 else one - v) * (u if corner % 2 else one - u)
        turned = off = np.float32(0)
        for axis in range(3):
            turned += normals[row, column, axis] * normals[y, x, axis]
            off += normals[row, column, axis] * (points[y, x, axis] - points[row, column, axis])
        if not (turned > np.float32(0.9) and abs(off) < np.float32(0.03)):
            shares[corner] = np.float32(0)
        total += shares[corner]
    if total <= np.float32(0.2):
        shares[0] = np.float32(-1)
        return
    for corner in range(4):
        shares[corner] /= total
