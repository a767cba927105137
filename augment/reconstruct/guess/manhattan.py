"""The two horizontal directions that most edges of a room follow, from line segments and a known gravity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from ...geometry import heading_vector
from ...types import Camera

_TOLERANCE = np.radians(2.5)
"""Angle in the picture between a segment and the direction to its vanishing point, one standard deviation."""


def line_segments(plate: UInt8[np.ndarray, "h w 3"], *, least: float = 0.03) -> Float[np.ndarray, "n 4"]:
    """Straight edges as x0, y0, x1, y1, pixels, at least ``least`` of the picture's width long."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(plate), cv2.COLOR_RGB2GRAY)
    found = cv2.createLineSegmentDetector().detect(grey)[0]
    if found is None:
        return np.zeros((0, 4))
    # the detector counts pixel centres from 0
    segments = np.asarray(found, float).reshape(-1, 4) + 0.5
    return segments[lengths(segments) >= least * plate.shape[1]]


def lengths(segments: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Lengths, pixels."""
    return np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])


def angle_to_vanishing_point(
    segments: Float[np.ndarray, "n 4"], camera: Camera, direction: Float[np.ndarray, "3"]
) -> Float[np.ndarray, " n"]:
    """Angle in the picture between each segment and the way from its middle to a world direction's vanishing point."""
    vanishing = camera.K @ camera.T_world_camera[:3, :3].T @ direction
    middle = (segments[:, :2] + segments[:, 2:]) / 2
    towards = vanishing[:2] - vanishing[2] * middle
    along = segments[:, 2:] - segments[:, :2]
    cross = along[:, 0] * towards[:, 1] - along[:, 1] * towards[:, 0]
    dot = (along * towards).sum(axis=1)
    return np.arctan2(np.abs(cross), np.abs(dot))


def manhattan_angle(segments: Float[np.ndarray, "n 4"], camera: Camera) -> tuple[float, float]:
    """The room's turn about +y, in [0, pi / 2), and the confidence in it, 0..1.

    Upright segments are left out; the others vote, by their length, for the turn at which they point to either of the two
    vanishing points. The confidence is the share of the length that agrees, less the mean of that share over all turns.
    """
    if not len(segments):
        return 0.0, 0.0
    weight = lengths(segments) * (angle_to_vanishing_point(segments, camera, np.array([0.0, 1.0, 0.0])) > np.radians(5))
    if weight.sum() <= 0:
        return 0.0, 0.0
    angles = np.radians(np.arange(0, 90, 0.5))
    votes = np.zeros(len(angles))
    for number, angle in enumerate(angles.tolist()):
        off = np.minimum(
            angle_to_vanishing_point(segments, camera, heading_vector(angle)),
            angle_to_vanishing_point(segments, camera, heading_vector(angle + np.pi / 2)),
        )
        votes[number] = weight @ np.exp(-((off / _TOLERANCE) ** 2)) / weight.sum()
    best = int(votes.argmax())
    return float(angles[best]), float(np.clip(votes[best] - votes.mean(), 0, 1))
