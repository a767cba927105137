"""What a picture's straight edges say of the camera: in a room most of them run upright or along two level directions.

Whether a segment points to one of the three vanishing points is a mixture: some edges do, the others lie at random. No edge
is assigned to a direction beforehand.

Source:
    Coughlan & Yuille 1999, "Manhattan World: Compass Direction from a Single Image by Bayesian Inference".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from ..guess.layout import inside_picture
from ..guess.manhattan import lengths, line_segments
from .rotation import rotation_world_camera

_MOST = 120
"""The longest segments are used, so many at most."""
_MOST_COARSE = 80
"""So many of them in the search for starts."""
_SIGMA = np.radians(1.0)
"""Angle between a segment and the direction to its vanishing point, one standard deviation, beside a pixel at its ends."""
_SIGMA_COARSE = np.radians(2.0)
_AT_RANDOM = 0.35
"""Share of segments that run in none of the three directions."""
_FULL_LENGTH, _MOST_WEIGHT = 60.0, 2.0
"""A segment of so many pixels counts once, longer ones up to so many times."""
_TEMPER = 0.25
"""Edges of one thing are not independent: so much of their log likelihood counts. Chosen on 30 films like those of
``benchmarks/short_clips.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLines:
    """Straight edges of a picture, the longest first."""

    segments: Float[np.ndarray, "n 4"]
    """x0, y0, x1, y1 from the principal point, pixels."""
    sigma: Float[np.ndarray, " n"]
    """Expected error of their angle, radians."""
    weight: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.segments)


def room_lines(
    picture: UInt8[np.ndarray, "h w 3"], center: tuple[float, float], content: tuple[int, int, int, int] | None = None
) -> RoomLines:
    """The straight edges of a picture.

    Args:
        picture: RGB. People in it do no harm where they are few.
        center: Principal point, pixels.
        content: x0, y0, x1, y1 of the picture inside black bars.
    """
    found = inside_picture(line_segments(picture), content)
    length = lengths(found)
    order = np.argsort(-length, kind="stable")[:_MOST]
    found, length = found[order], length[order]
    return RoomLines(
        segments=found - np.tile(center, 2), sigma=np.hypot(_SIGMA, 1.0 / np.maximum(length, 1.0)),
        weight=np.minimum(length / _FULL_LENGTH, _MOST_WEIGHT),
    )  # fmt: skip


def line_residuals(lines: RoomLines, focal: float, T_rotation: Float[np.ndarray, "3 3"], yaw: float) -> Float[np.ndarray, " n"]:
    """Residuals whose squares' half is the negative log likelihood of the segments, less that of perfect ones.

    Args:
        lines: Of the picture.
        focal: Pixels.
        T_rotation: Camera axes as columns in the world.
        yaw: The room's turn about +y, radians.
    """
    sine = _sines(lines.segments, np.asarray(focal), T_rotation, np.asarray(yaw))
    peak = 1 / (lines.sigma * np.sqrt(np.pi / 2))
    dense = peak[:, None] * np.exp(-0.5 * (np.arcsin(np.minimum(sine, 1.0)) / lines.sigma[:, None]) ** 2)
    likely = _mixture(dense.mean(axis=-1))
    best = _mixture(peak)  # pointing to all three at once: no segment does better
    return np.sqrt(2 * _TEMPER * lines.weight * np.log(best / likely))


def line_starts(
    lines: RoomLines,
    focals: Float[np.ndarray, " f"],
    pitches: Float[np.ndarray, " p"],
    rolls: Float[np.ndarray, " r"],
    log_prior: Float[np.ndarray, "f p r"],
    *,
    most: int = 4,
) -> list[tuple[float, float, float, float]]:
    """The most probable of a grid of cameras that are not neighbours: focal, pitch, roll, yaw; the best first.

    Args:
        lines: Of the picture.
        focals: Pixels.
        pitches: Radians.
        rolls: Radians.
        log_prior: Of each camera.
        most: So many at most.
    """
    yaws = np.radians(np.arange(0, 90, 4.0))
    f, pitch, roll, yaw = np.meshgrid(focals, pitches, rolls, yaws, indexing="ij")
    grid = (array.astype(np.float32) for array in (f, rotation_world_camera(pitch, roll), yaw))
    sine = _sines(lines.segments[:_MOST_COARSE].astype(np.float32), *grid)
    dense = np.exp(-0.5 * (sine / np.float32(_SIGMA_COARSE)) ** 2).mean(axis=-1) / (_SIGMA_COARSE * np.sqrt(np.pi / 2))
    likely = _TEMPER * np.log(_mixture(dense)) @ lines.weight[:_MOST_COARSE]
    best_yaw, total = likely.argmax(axis=-1), likely.max(axis=-1) + log_prior
    found: list[tuple[int, ...]] = []
    for flat in np.argsort(-total, axis=None, kind="stable"):
        place = tuple(int(i) for i in np.unravel_index(flat, total.shape))
        if all(sum(abs(a - b) for a, b in zip(place, other, strict=True)) > 2 for other in found):
            found.append(place)
        if len(found) == most:
            break
    return [(float(focals[i]), float(pitches[j]), float(rolls[k]), float(yaws[best_yaw[i, j, k]])) for i, j, k in found]


def _mixture(dense: np.ndarray) -> np.ndarray:
    """Density of an angle from the mean of its densities about the three directions."""
    return _AT_RANDOM * 2 / np.pi + (1 - _AT_RANDOM) * dense


def _sines(segments: np.ndarray, focal: np.ndarray, rotation: np.ndarray, yaw: np.ndarray) -> Float[np.ndarray, "*b n 3"]:
    """Sine of the angle between each segment and the way from its middle to each vanishing point."""
    none, cos, sin = np.zeros_like(yaw), np.cos(yaw), np.sin(yaw)
    world = np.stack(
        [np.stack([none, none + 1, none], -1), np.stack([sin, none, cos], -1), np.stack([cos, none, -sin], -1)], axis=-2
    )
    local = (world @ rotation)[..., None, :, :]  # direction i in camera axes: row i
    middle = ((segments[:, :2] + segments[:, 2:]) / 2)[:, None]
    along = (segments[:, 2:] - segments[:, :2])[:, None]
    towards = local[..., :2] * focal[..., None, None, None] - local[..., 2:] * middle
    cross = np.abs(along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0])
    return cross / np.maximum(np.linalg.norm(along, axis=-1) * np.linalg.norm(towards, axis=-1), 1e-9)
