"""People who stand or walk, found among keypoints: four points along their vertical axis, which a camera is calibrated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ...sources.people.mediapipe import LANDMARK, Keypoints

PARTS: tuple[tuple[str, float], ...] = (("ankle", 0.045), ("hip", 0.50), ("shoulder", 0.815), ("ear", 0.93))
"""Landmark pairs whose middles stand above one another in a standing person, and their heights as shares of the stature.

Shares are for MediaPipe's points, shoes included; calibration estimates a person's deviation from them."""

_VISIBLE = 0.5
"""Least visibility of a landmark that counts."""
_STRAIGHT = np.radians(140)
"""Least angle at hip and knee of who stands or walks."""
_CELL = 24.0
"""Side of the squares of the picture that tell places apart, pixels."""
_MOST_OBSERVATIONS = 12
"""See ``UprightPeople.weight``; chosen on UP-Fall's walks, where both cameras then agree best on the places."""
_SECONDS = 10**6
"""Seconds between the videos in ``UprightPeople.second``: more than any lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UprightPeople:
    """Upright people, one row for each frame that qualified."""

    points: Float[np.ndarray, "n 4 2"]
    """Image points of ``PARTS``, pixels; NaN where not visible or outside the picture."""
    sigma: Float[np.ndarray, "n"]
    """Expected error of a point, pixels: grows with the size of the person in the picture."""
    frame: Int[np.ndarray, "n"]
    second: Int[np.ndarray, "n"]
    """Number of the second, over all videos and people."""

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> UprightPeople:
        """Some of the rows."""
        return UprightPeople(points=self.points[rows], sigma=self.sigma[rows], frame=self.frame[rows], second=self.second[rows])

    @property
    def weight(self) -> float:
        """How much of an observation each row is.

        A detector's errors last, so that a second of them counts as one, whoever stays in one place as two, and all together as
        ``_MOST_OBSERVATIONS``: what a lens bends and how a body differs from ``PARTS`` does not average out.
        """
        seconds, stands = len(np.unique(self.second)), len(np.unique(_cells(self.points), axis=0))
        return min(1.0, min(seconds, 2 * stands, _MOST_OBSERVATIONS) / max(len(self), 1))


def _cells(points: np.ndarray, cell: float = _CELL) -> Int[np.ndarray, "n 2"]:
    """Square of the picture in which the hips of each row are."""
    return np.floor(points[:, 1] / cell).astype(int)


def find_upright(keypoints: Sequence[Keypoints]) -> UprightPeople:
    """All frames in which the person stands or walks upright, over all videos.

    Upright: the torso within 25 degrees of the picture's vertical, hips above knees above ankles by at least half the
    torso's length each (where the legs are out of the picture, by the detector's 3D guess), shoulders and hips visible.
    Feet out of the picture are NaN, the other points still count. Where the detector gives 3D points, hips and knees must be
    straight in them: seen from above, a sitting person's thighs hang down in the picture, too.
    """
    parts = [_upright_of(k) for k in keypoints]
    if not parts:
        none = np.zeros(0, int)
        return UprightPeople(points=np.zeros((0, len(PARTS), 2)), sigma=np.zeros(0), frame=none, second=none)
    return UprightPeople(
        points=np.concatenate([p.points for p in parts]),
        sigma=np.concatenate([p.sigma for p in parts]),
        frame=np.concatenate([p.frame for p in parts]),
        second=np.concatenate([p.second + number * _SECONDS for number, p in enumerate(parts)]),
    )


def _upright_of(keypoints: Keypoints) -> UprightPeople:
    two, world = keypoints.landmarks2d.astype(float), keypoints.landmarks_world
    middle = {name: _middle(two, name) for name in ("ankle", "knee", "hip", "shoulder", "ear")}
    inside = {
        name: (p[:, 0] > 1) & (p[:, 0] < keypoints.width - 1) & (p[:, 1] > 1) & (p[:, 1] < keypoints.height - 1)
        for name, p in middle.items()
    }
    visible = {name: inside[name] & (_visibility(two, name) > _VISIBLE) for name in middle}
    with np.errstate(invalid="ignore"):
        torso = middle["hip"] - middle["shoulder"]
        length = np.linalg.norm(torso, axis=1)
        upright = (torso[:, 1] > 0) & (np.abs(torso[:, 0]) < np.tan(np.radians(25)) * torso[:, 1])
        upright &= keypoints.found & visible["hip"] & visible["shoulder"]
        drop_thigh = middle["knee"][:, 1] - middle["hip"][:, 1]
        drop_shank = middle["ankle"][:, 1] - middle["knee"][:, 1]
        legs_seen = visible["knee"] & visible["ankle"]
        straight = (drop_thigh > 0.5 * length) & (drop_shank > 0.5 * length)
        upright &= np.where(legs_seen, straight, _straight_in_world(world, len(keypoints)))
        upright &= _legs_straight(world, len(keypoints))
    rows = np.flatnonzero(upright)
    points = np.stack([np.where(visible[name][:, None], middle[name], np.nan) for name, _ in PARTS], axis=1)[rows]
    second = np.floor(rows / keypoints.fps).astype(int)
    return UprightPeople(points=points, sigma=1.0 + 0.05 * length[rows], frame=rows, second=second)


def _middle(landmarks: np.ndarray, name: str) -> np.ndarray:
    return landmarks[:, [LANDMARK[f"left_{name}"], LANDMARK[f"right_{name}"]], :2].mean(axis=1)


def _visibility(landmarks: np.ndarray, name: str) -> np.ndarray:
    """The higher one of a pair for head and torso (one side is always turned away), the lower one for the legs."""
    both = landmarks[:, [LANDMARK[f"left_{name}"], LANDMARK[f"right_{name}"]], 2]
    return both.max(axis=1) if name in ("ear", "shoulder", "hip") else both.min(axis=1)


def _straight_in_world(world: np.ndarray | None, frames: int) -> np.ndarray:
    if world is None:
        return np.zeros(frames, bool)
    y = {
        name: world[:, [LANDMARK[f"left_{name}"], LANDMARK[f"right_{name}"]], 1].mean(axis=1)
        for name in ("shoulder", "hip", "knee", "ankle")
    }
    torso = y["hip"] - y["shoulder"]
    return (y["knee"] - y["hip"] > 0.6 * torso) & (y["ankle"] - y["knee"] > 0.6 * torso)


def _legs_straight(world: np.ndarray | None, frames: int) -> np.ndarray:
    """Whether a hip and a knee are straight to ``_STRAIGHT`` in the 3D points; true without them."""
    if world is None:
        return np.ones(frames, bool)

    def angle(side: str, names: tuple[str, str, str]) -> np.ndarray:
        first, middle, last = (world[:, LANDMARK[f"{side}_{name}"]] for name in names)
        one, other = first - middle, last - middle
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        return np.arccos(np.clip((one * other).sum(axis=1) / np.maximum(length, 1e-9), -1, 1))

    hip, knee = (
        np.maximum(angle("left", names), angle("right", names))
        for names in (("shoulder", "hip", "knee"), ("hip", "knee", "ankle"))
    )
    return (hip > _STRAIGHT) & (knee > _STRAIGHT)


def spread_out(upright: UprightPeople, *, cell: float = _CELL, per_cell: int = 4, most: int = 300) -> UprightPeople:
    """Thin the rows so that a person who stood in one place for a minute does not outweigh the rest.

    At most ``per_cell`` rows, evenly in time, for every square of ``cell`` pixels around the hips.
    """
    keys = _cells(upright.points, cell)
    keep = []
    for key in np.unique(keys, axis=0):
        rows = np.flatnonzero((keys == key).all(axis=1))
        keep.append(rows[np.unique(np.linspace(0, len(rows) - 1, per_cell).round().astype(int))])
    rows = np.sort(np.concatenate(keep)) if keep else np.zeros(0, int)
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    return upright.take(rows)
