"""Pixels that a tracked person covers, and frames in which the track is reliable."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from ...sources.people.mediapipe import LANDMARK, Keypoints

_TRUNK = [LANDMARK[f"{side}_{part}"] for side in ("left", "right") for part in ("shoulder", "hip")]
_STILL, _STAYS = 0.35, 0.5
"""Largest movement of the trunk, as a share of the person's extent, and least share of frames with a detection, of somebody
who keeps still."""


def keeps_still(keypoints: Keypoints, frames: int) -> bool:
    """Whether somebody stays in one place throughout a video of ``frames`` frames, as a bystander on a chair does."""
    rows = np.flatnonzero(keypoints.found)
    if len(rows) < max(5, _STAYS * frames):
        return False
    middle = keypoints.landmarks2d[rows][:, _TRUNK, :2].astype(float).mean(axis=1)
    extent = np.median(np.linalg.norm(np.ptp(keypoints.landmarks2d[rows, :, :2], axis=1), axis=1))
    moved = np.linalg.norm(middle - np.median(middle, axis=0), axis=1)
    return bool(np.percentile(moved, 97) < _STILL * extent)


def followed(keypoints: Keypoints) -> Bool[np.ndarray, "t"]:
    """Frames in which the detector is on the person who moves, and has not jumped to a bystander.

    The track is cut where the trunk moves by more than a third of the body from one frame to the next. The part that covers
    the most ground is the person; parts before and after it count if they continue where the last one that counted ended.
    Frames in which the detector lost the person, as in a fall, are no evidence of free floor.
    """
    rows = np.flatnonzero(keypoints.found)
    result = np.zeros(len(keypoints), bool)
    if not len(rows):
        return result
    points = keypoints.landmarks2d[rows][:, _TRUNK, :2].astype(float)
    middle = points.mean(axis=1)
    body = np.linalg.norm(np.ptp(np.clip(keypoints.landmarks2d[rows, :, :2], -9999, 9999), axis=1), axis=1)
    jumps = np.linalg.norm(np.diff(middle, axis=0), axis=1) > 0.35 * np.diff(rows) * np.maximum(body[1:], body[:-1])
    parts = np.split(np.arange(len(rows)), np.flatnonzero(jumps) + 1)
    travel = [
        np.diff(np.percentile(middle[p], [5, 95], axis=0), axis=0).sum() / np.median(body[p]) + 1e-4 * len(p) for p in parts
    ]
    lead = int(np.argmax(travel))
    result[rows[parts[lead]]] = True
    for order, near, far in ((range(lead + 1, len(parts)), 0, -1), (range(lead - 1, -1, -1), -1, 0)):
        last = parts[lead][far]
        for number in order:
            part = parts[number]
            if np.linalg.norm(middle[part[near]] - middle[last]) < 0.5 * max(body[part[near]], body[last]):
                result[rows[part]] = True
                last = part[far]
    return result


def person_mask(keypoints: Keypoints, index: int, height: int, width: int, *, reach: int = 2) -> Bool[np.ndarray, "h w"]:
    """Pixels the person may cover in a frame: the convex hull of the landmarks nearby in time, widened by body and head.

    Landmarks lie inside the body and the topmost ones on the face, so the hull is widened by a tenth of the body's extent
    and a disc is put over the head. ``reach`` neighbouring frames on both sides are joined in, against jitter.
    """
    import cv2

    covered = np.zeros((height, width), np.uint8)
    for i in range(max(0, index - reach), min(len(keypoints), index + reach + 1)):
        if not keypoints.found[i]:
            continue
        points = keypoints.landmarks2d[i, :, :2]
        points = np.clip(points, [-width, -height], [2 * width, 2 * height])
        extent = float(np.linalg.norm(np.ptp(points, axis=0)))
        hull = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
        radius = int(np.clip(0.1 * extent, 6, 0.12 * max(height, width)))
        cv2.fillConvexPoly(covered, hull, 1)
        cv2.polylines(covered, [hull], True, 1, 2 * radius)
        ears = points[[LANDMARK["left_ear"], LANDMARK["right_ear"]]].mean(axis=0)
        shoulders = points[[LANDMARK["left_shoulder"], LANDMARK["right_shoulder"]]].mean(axis=0)
        head = ears + 0.5 * (ears - shoulders)
        cv2.circle(covered, head.round().astype(int).tolist(), int(0.7 * np.linalg.norm(ears - shoulders)) + radius // 2, 1, -1)
    return covered.astype(bool)
