"""People detected in one video: one table, one row a person and frame, whatever the estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from ...types import SMPL_JOINTS
from .mediapipe import LANDMARKS

COCO17: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""COCO's keypoints in its own order."""

COCO17_LIMBS: tuple[tuple[int, int], ...] = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2), (0, 1),
    (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
"""Pairs of them that COCO links by a line."""

OPENPOSE25: tuple[str, ...] = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear", "left_foot_index", "left_small_toe", "left_heel", "right_foot_index", "right_small_toe",
    "right_heel",
)  # fmt: skip
"""OpenPose BODY_25 in its own order; its big toe is called ``foot_index`` as MediaPipe has it."""

LAYOUTS: dict[str, tuple[str, ...]] = {
    "coco17": COCO17, "openpose25": OPENPOSE25, "mediapipe33": LANDMARKS, "smpl24": tuple(f"smpl_{n}" for n in SMPL_JOINTS),
}  # fmt: skip
"""Names of the points of each layout; a name is the same point of the body in all of them."""

PERSON_CLASSES: tuple[str, ...] = ("staff", "patient", "visitor")
"""Order of ``People.class_probabilities``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Detections in one video, one row a person and frame; a column that the source does not give is None.

    Camera frame: OpenCV axes, metres. A body's ``transl`` is added after posing, as in ``types.Motion``, and projects with
    ``K`` onto the whole picture (never onto a crop).
    """

    path: Path
    """The file it was read from."""
    source: str
    """Name of the format, for messages and provenance."""
    frame: Int[np.ndarray, " n"]
    """Frame of the video, from 0; rows are sorted by frame, then by track."""
    track: Int[np.ndarray, " n"]
    """The producer's own person id; -1 where it gives none."""
    layout: str = ""
    """Key of ``LAYOUTS`` that names the keypoints; empty without keypoints."""
    keypoints2d: Float[np.ndarray, "n k 3"] | None = None
    """u, v in pixels of the whole picture, confidence 0..1; NaN where a point was not found."""
    keypoints3d: Float[np.ndarray, "n k 3"] | None = None
    """Metres, camera axes, relative to the middle of the hips; NaN where not found."""
    bbox: Float[np.ndarray, "n 4"] | None = None
    """x0, y0, x1, y1, pixels."""
    confidence: Float[np.ndarray, " n"] | None = None
    """Confidence of the detection, 0..1."""
    class_probabilities: Float[np.ndarray, "n 3"] | None = None
    """Probabilities in the order of ``PERSON_CLASSES``."""
    global_orient: Float[np.ndarray, "n 3"] | None = None
    """Root axis-angle, camera frame."""
    body_pose: Float[np.ndarray, "n 23 3"] | None = None
    """SMPL joints 1..23, axis-angle; the two hand joints are zero where the source's body has none."""
    betas: Float[np.ndarray, "n 10"] | None = None
    transl: Float[np.ndarray, "n 3"] | None = None
    """Metres, camera frame; None where the source gives no place."""
    K: Float[np.ndarray, "3 3"] | None = None
    """Intrinsics the bodies' ``transl`` holds for, pixels of the whole picture."""
    width: int | None = None
    """Width of the video, pixels, where the source states it."""
    height: int | None = None
    frames: int | None = None
    """Length of the video in frames, where the source states it."""
    fps: float | None = None
    notes: tuple[str, ...] = ()
    """Omissions and assumptions while reading, for the report."""

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def has_bodies(self) -> bool:
        """Whether rows carry SMPL bodies."""
        return self.global_orient is not None and self.body_pose is not None

    def take(self, rows: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> People:
        """Some of the rows, in the given order."""
        columns = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and field.name != "K":
                columns[field.name] = value[rows]
        return replace(self, **columns)

    def point(self, name: str) -> Float[np.ndarray, "n 3"]:
        """One keypoint by its name, NaN throughout where the layout lacks it."""
        names = LAYOUTS.get(self.layout, ())
        if self.keypoints2d is None or name not in names:
            return np.full((len(self), 3), np.nan)
        return np.asarray(self.keypoints2d[:, names.index(name)], float)


def check_people(people: People) -> People:
    """Check shapes and finiteness, and return the table with rows sorted by frame and track.

    Raises:
        ValueError: If a column's length or shape is wrong, a body holds NaN, frames are negative, or the layout is unknown;
            the message names the file and the field.
    """
    n = len(people.frame)
    if not n:
        raise ValueError(f"{people.path}: {people.source}: nobody in it: no frame holds a detection")
    points = len(LAYOUTS.get(people.layout, ()))
    if (people.keypoints2d is not None or people.keypoints3d is not None) and not points:
        raise ValueError(f"{people.path}: unknown keypoint layout {people.layout!r}; expected one of {', '.join(LAYOUTS)}")
    shapes = {
        "track": (n,), "keypoints2d": (n, points, 3), "keypoints3d": (n, points, 3), "bbox": (n, 4), "confidence": (n,),
        "class_probabilities": (n, 3), "global_orient": (n, 3), "body_pose": (n, 23, 3), "betas": (n, 10), "transl": (n, 3),
    }  # fmt: skip
    for name, shape in shapes.items():
        value = getattr(people, name)
        if value is not None and value.shape != shape:
            raise ValueError(f"{people.path}: {people.source}: field {name}: expected shape {shape}, found {value.shape}")
    if people.frame.min() < 0:
        raise ValueError(f"{people.path}: {people.source}: a frame number is negative ({people.frame.min()})")
    for name in ("global_orient", "body_pose", "betas", "transl"):
        value = getattr(people, name)
        if value is not None and not np.isfinite(value).all():
            row = int(np.flatnonzero(~np.isfinite(value).reshape(n, -1).all(axis=1))[0])
            raise ValueError(
                f"{people.path}: {people.source}: field {name} holds NaN or infinity at frame {people.frame[row]}; "
                "run the estimator again or leave that person out"
            )
    return people.take(np.lexsort((people.track, people.frame)))


def join_people(tables: Sequence[People]) -> People:
    """Several tables of one video as one, rows sorted by frame and track; a column that one of them lacks is None.

    Raises:
        ValueError: If the layouts differ, or there is no table.
    """
    if not tables or len({table.layout for table in tables}) > 1:
        raise ValueError(f"join_people: expected tables of one layout, found {sorted({table.layout for table in tables})}")
    first, columns = tables[0], {}
    for field in fields(People):
        values = [getattr(table, field.name) for table in tables]
        if field.name != "K" and any(isinstance(value, np.ndarray) for value in values):
            columns[field.name] = None if any(value is None for value in values) else np.concatenate(values)
    joined = replace(first, **columns)
    return joined.take(np.lexsort((joined.track, joined.frame)))
