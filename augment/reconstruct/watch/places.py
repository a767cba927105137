"""Positions of detections, in metres or in body extents, and the cost of associating two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ...sources.people.people import People

METRES, EXTENTS = "metres", "body extents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Positions of all detections, in the space in which distances are costs."""

    points: Float[np.ndarray, "n k d"]
    """Camera-frame metres (d = 3) or pixels (d = 2); NaN where not found."""
    weight: Float[np.ndarray, "n k"]
    """Confidence 0..1 of each point; 0 where not found."""
    scale: Float[np.ndarray, " n"]
    """Divisor of distances: 1 for metres, the person's extent in the picture for pixels."""
    unit: str
    classes: Float[np.ndarray, "n 3"] | None
    quality: Float[np.ndarray, " n"]
    """Confidence of the row; the duplicate with the higher one is kept."""


def places_of(people: People, joints: Float[np.ndarray, "n 24 3"] | None = None) -> Places:
    """Positions of the detections, by the best data in the table.

    In this order: ``joints`` or ``keypoints3d + transl`` (metres, camera frame); ``keypoints2d`` divided by the person's
    extent, the diagonal of its box or points in the picture; ``transl`` alone (metres); ``bbox`` corners, in extents.

    Args:
        people: Detections.
        joints: SMPL joints of the rows, metres, camera frame, where the caller has a body to pose.
    Raises:
        ValueError: If the table holds none of these, or ``joints`` has another length.
    """
    n = len(people)
    if joints is not None and len(joints) != n:
        raise ValueError(f"{people.path}: joints are given for {len(joints)} rows and the table has {n}; pose the same rows")
    confidence, unit, scale = None, METRES, np.ones(n)
    if joints is not None:
        points = np.asarray(joints, float)
    elif people.keypoints3d is not None and people.transl is not None:
        points = np.asarray(people.keypoints3d, float) + people.transl[:, None]
    elif people.keypoints2d is not None:
        points, confidence = np.asarray(people.keypoints2d[..., :2], float), np.asarray(people.keypoints2d[..., 2], float)
        unit, scale = EXTENTS, _extent(points, people.bbox)
    elif people.transl is not None:
        points = np.asarray(people.transl, float)[:, None]
    elif people.bbox is not None:
        points = np.asarray(people.bbox, float).reshape(n, 2, 2)
        unit, scale = EXTENTS, _extent(points, None)
    else:
        raise ValueError(
            f"{people.path}: {people.source}: no keypoints, boxes or bodies with a place (transl) in it: nothing to track by"
        )
    found = np.asarray(np.isfinite(points).all(axis=2))
    weight = found * (1.0 if confidence is None else np.clip(np.nan_to_num(confidence), 1e-3, 1.0))
    quality = weight.mean(axis=1) if people.confidence is None else np.nan_to_num(np.asarray(people.confidence, float))
    return Places(
        points=points, weight=weight, scale=scale, unit=unit, classes=people.class_probabilities, quality=quality,
    )  # fmt: skip


def cost_matrix(
    places: Places,
    rows: Int[np.ndarray, " n"],
    others: Int[np.ndarray, " m"],
    shifts: np.ndarray | None = None,
    *,
    class_weight: float,
) -> Float[np.ndarray, "n m"]:
    """Association cost between rows and other rows, the latter moved by ``shifts`` (m, d); in metres or body extents."""
    a, b = places.points[rows], places.points[others]
    if shifts is not None:
        b = b + shifts[:, None]
    weight = np.minimum(places.weight[rows][:, None], places.weight[others][None])
    squares = np.nan_to_num(((a[:, None] - b[None]) ** 2).sum(axis=3))
    total = weight.sum(axis=2)
    middles = np.linalg.norm(middles_of(a)[:, None] - middles_of(b)[None], axis=2)
    # Without a point in common (a face in one, feet in the other) the middles are compared.
    distance = np.where(total > 0, np.sqrt((weight * squares).sum(axis=2) / np.maximum(total, 1e-9)), middles)
    scale = (places.scale[rows][:, None] + places.scale[others][None]) / 2
    cost = distance / scale
    if places.classes is not None and class_weight:
        difference = np.abs(places.classes[rows][:, None] - places.classes[others][None])
        cost = cost + class_weight * np.nan_to_num(difference).max(axis=2)
    return cost


def middles_of(points: Float[np.ndarray, "n k d"]) -> Float[np.ndarray, "n d"]:
    """Mean of each row's finite points; NaN where there is none."""
    found = np.asarray(np.isfinite(points).all(axis=2))
    total = np.where(found[..., None], points, 0.0).sum(axis=1)
    anywhere = np.asarray(found.any(axis=1))
    return np.where(anywhere[:, None], total / np.maximum(found.sum(axis=1), 1)[:, None], np.nan)


def _extent(points: Float[np.ndarray, "n k 2"], bbox: np.ndarray | None) -> Float[np.ndarray, " n"]:
    """Diagonal of the box around each person, pixels; 0 where there is none."""
    if bbox is not None and np.isfinite(bbox).all():
        return np.linalg.norm(np.asarray(bbox[:, 2:] - bbox[:, :2], float), axis=1)
    found = np.asarray(np.isfinite(points))
    high = np.where(found, points, -np.inf).max(axis=1)
    low = np.where(found, points, np.inf).min(axis=1)
    return np.linalg.norm(np.where(found.any(axis=1), high - low, 0.0), axis=1)
