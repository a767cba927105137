"""What a detector's 3D points say of the camera's height: they give the distance, and a person's lowest point is on the floor.

That holds for people who sit or bend as well, as long as their feet are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...sources.people.mediapipe import LANDMARK, Keypoints

_CHAIN = ("shoulder", "hip", "knee", "ankle")
_CHAIN_SHARE = 0.79
"""Length from the shoulder over hip and knee to the ankle, as a share of the stature."""
_SEEN = 0.5
"""Least visibility of a point that counts."""
_MOST = 10
"""Frames used of each person."""
_SOLE = 0.02
"""Height of the lowest point above the floor, metres."""
_SIGMA_SHARE, _LEAST_SIGMA = 0.07, 0.05
"""Expected error of that height: a share of the distance, and at least so many metres."""
_INDEPENDENT = 3.0
"""The errors of a detector's 3D points are alike: all frames together count as so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBodies:
    """Frames in which a person's feet are seen, with the detector's 3D points."""

    points: Float[np.ndarray, "n 33 2"]
    """Pixels; NaN where not seen."""
    shape: Float[np.ndarray, "n 33 3"]
    """Camera axes, about the hips, for a stature of one metre."""
    weight: Float[np.ndarray, " n"]
    """How much of an observation each is."""

    def __len__(self) -> int:
        return len(self.points)


def whole_bodies(keypoints: Sequence[Keypoints]) -> WholeBodies:
    """Frames of each person, evenly in time, whose ankles are seen; none where the detector gives no 3D points."""
    points, shapes = [np.zeros((0, 33, 2))], [np.zeros((0, 33, 3))]
    for person in keypoints:
        world = person.landmarks_world
        if world is None:
            continue
        two = np.asarray(person.landmarks2d, float)
        length = np.mean([_chain(world, side) for side in ("left", "right")], axis=0)
        ankles = two[:, [LANDMARK["left_ankle"], LANDMARK["right_ankle"]], 2]
        frames = np.flatnonzero(person.found & np.isfinite(length) & (length > 0) & (ankles > _SEEN).any(axis=1))
        if not len(frames):
            continue
        scale = _CHAIN_SHARE / float(np.median(length[frames]))
        frames = frames[np.unique(np.linspace(0, len(frames) - 1, _MOST).round().astype(int))]
        seen = two[frames, :, 2:] > _SEEN
        points.append(np.where(seen, two[frames, :, :2], np.nan))
        shapes.append(np.asarray(world[frames], float) * scale)
    count = sum(map(len, points))
    weight = np.full(count, min(1.0, _INDEPENDENT / max(count, 1)))
    return WholeBodies(points=np.concatenate(points), shape=np.concatenate(shapes), weight=weight)


def _chain(world: np.ndarray, side: str) -> np.ndarray:
    index = [LANDMARK[f"{side}_{name}"] for name in _CHAIN]
    return np.linalg.norm(np.diff(world[:, index], axis=1), axis=-1).sum(axis=1)


def floor_residuals(
    bodies: WholeBodies, focal: float, T_rotation: Float[np.ndarray, "3 3"], height: float, *, stature: float,
    center: tuple[float, float],
) -> Float[np.ndarray, " n"]:  # fmt: skip
    """Robust residuals of the lowest points' heights above the floor, each body put where its points fit the picture best.

    Args:
        bodies: Frames with 2D and 3D points.
        focal: Pixels.
        T_rotation: Camera axes as columns in the world.
        height: Of the camera above the floor, metres.
        stature: Metres.
        center: Principal point, pixels.
    """
    shape = bodies.shape * stature
    place = _places(bodies.points, shape, focal, center)
    lowest = ((shape + place[:, None]) @ T_rotation[1]).min(axis=1) + height - _SOLE
    error = lowest / np.maximum(_SIGMA_SHARE * np.abs(place[:, 2]), _LEAST_SIGMA)
    return np.sign(error) * np.sqrt(bodies.weight * np.log1p(error**2))


def heights_above(
    bodies: WholeBodies, focal: float, T_rotation: Float[np.ndarray, "3 3"], *, stature: float, center: tuple[float, float]
) -> Float[np.ndarray, " n"]:
    """The camera's height above each body's lowest point, metres; arguments as of ``floor_residuals``."""
    shape = bodies.shape * stature
    place = _places(bodies.points, shape, focal, center)
    return _SOLE - ((shape + place[:, None]) @ T_rotation[1]).min(axis=1)


def _places(points: np.ndarray, shape: np.ndarray, focal: float, center: tuple[float, float]) -> Float[np.ndarray, "n 3"]:
    """Place of each body's hips in camera axes, metres, in closed form."""
    rays = (points - np.asarray(center)) / focal
    seen = np.isfinite(rays).all(axis=-1).astype(float)
    rays = np.nan_to_num(rays)
    # x + X = u (z + Z) and y + Y = v (z + Z): linear in the place (x, y, z)
    one, none = np.ones_like(seen), np.zeros_like(seen)
    rows = np.concatenate([np.stack([one, none, -rays[..., 0]], -1), np.stack([none, one, -rays[..., 1]], -1)], axis=1)
    right = np.concatenate([rays[..., i] * shape[..., 2] - shape[..., i] for i in range(2)], axis=1)
    weight = np.concatenate([seen, seen], axis=1)
    normal = np.einsum("nki,nk,nkj->nij", rows, weight, rows) + 1e-9 * np.eye(3)
    return np.linalg.solve(normal, np.einsum("nki,nk->ni", rows, weight * right)[..., None])[..., 0]
