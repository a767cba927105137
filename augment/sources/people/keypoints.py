"""2D keypoints of people in video: COCO results or annotations, OpenPose's files, MediaPipe tables, all as ``People``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import load_json
from .hmr_rows import separate_doubles
from .keypoints_json import KEYPOINT_READERS, Columns, read_openpose_folder
from .mediapipe import LANDMARKS, Keypoints, read_mediapipe
from .people import LAYOUTS, People, check_people


def read_keypoints(path: Path, *, width: int | None = None, height: int | None = None) -> People:
    """Keypoints from COCO json, OpenPose json (a file, or a folder with one a frame) or a MediaPipe ``.npz``.

    Coordinates are not shifted: detectors that count pixel centres as whole numbers are off by half a pixel, less than their
    error.

    Args:
        path: A file or, for OpenPose, a folder.
        width: Of the video, pixels, where known: points mostly outside it are then an error.
        height: Pixels.
    Raises:
        ValueError: If the file is absent, of an unknown content, has points of another number or normalised coordinates, holds
            nobody, or belongs to a video of another size; the message names file and field.
    """
    path = Path(path)
    if path.is_dir():
        return _checked(path, read_openpose_folder(path), width, height)
    if not path.is_file():
        raise ValueError(f"{path}: no such file or folder of keypoints")
    if path.suffix == ".npz":
        return _from_mediapipe(read_mediapipe(path), width, height)
    content = load_json(path)
    for recognises, read in KEYPOINT_READERS.values():
        if recognises(content):
            return _checked(path, read(path, content), width, height)
    found = ", ".join(map(str, list(content)[:12])) if isinstance(content, dict) else type(content).__name__
    raise ValueError(f"{path}: found {found}; expected one of: {', '.join(KEYPOINT_READERS)}, or a MediaPipe .npz")


def _checked(path: Path, found: Columns, width: int | None, height: int | None) -> People:
    columns, notes = dict(found[0]), list(found[1])
    points, source = columns["keypoints2d"], columns["source"]
    width, height = width or columns.get("width"), height or columns.get("height")
    if not len(points):
        raise ValueError(f"{path}: {source}: nobody in it: no keypoint was found in any frame")
    extent = np.nanmax(np.abs(points[:, :, :2]))
    if extent <= 2.0:
        raise ValueError(
            f"{path}: {source}: the keypoints look normalised (largest coordinate {extent:.2f}); expected pixels: multiply by "
            "width and height"
        )
    over = points[:, :, 2] > 1
    if over.any():
        notes.append(f"{over.sum()} confidences above 1 set to 1")
        points[over, 2] = 1.0
    if width and height:
        u, v = points[:, :, 0], points[:, :, 1]
        outside = ((u < 0) | (u > width) | (v < 0) | (v > height))[np.isfinite(u)].mean()
        if outside > 0.5:
            raise ValueError(
                f"{path}: {source}: {outside:.0%} of the keypoints lie outside {width}x{height}; they belong to a video of "
                "another size: use the keypoints of this very video"
            )
    columns |= {"width": width, "height": height}
    return separate_doubles(check_people(People(path=path, notes=tuple(notes), **columns)))


def _from_mediapipe(keypoints: Keypoints, width: int | None, height: int | None) -> People:
    if (width or keypoints.width, height or keypoints.height) != (keypoints.width, keypoints.height):
        raise ValueError(
            f"{keypoints.path}: field size: found in a {keypoints.width}x{keypoints.height} video but this is "
            f"{width}x{height}; use the keypoints of this very video"
        )
    rows = np.flatnonzero(keypoints.found)
    points = keypoints.landmarks2d[rows].astype(float)
    points[:, :, 2] = np.clip(points[:, :, 2], 0, 1)
    world = keypoints.landmarks_world
    return check_people(
        People(
            path=keypoints.path, source="MediaPipe", frame=rows, track=np.zeros(len(rows), np.int64), layout="mediapipe33",
            keypoints2d=points, keypoints3d=None if world is None else world[rows].astype(float), width=keypoints.width,
            height=keypoints.height, frames=len(keypoints), fps=keypoints.fps,
        )
    )  # fmt: skip


_LINKS: tuple[tuple[str, str], ...] = (
    ("S_eye", "nose"), ("S_eye_inner", "S_eye"), ("S_eye_outer", "S_eye"), ("S_ear", "S_eye"), ("mouth_S", "nose"),
    ("nose", "head"), ("nose", "neck"), ("head", "neck"), ("S_elbow", "S_shoulder"), ("S_wrist", "S_elbow"),
    ("S_hand", "S_wrist"), ("S_index", "S_wrist"), ("S_pinky", "S_wrist"), ("S_thumb", "S_wrist"), ("S_index", "S_hand"),
    ("S_pinky", "S_hand"), ("S_ankle", "S_knee"), ("S_knee", "S_hip"), ("S_heel", "S_ankle"), ("S_foot_index", "S_foot"),
    ("S_foot_index", "S_small_toe"), ("S_foot_index", "S_ankle"), ("S_foot", "S_ankle"), ("S_hip", "mid_hip"),
    ("S_hip", "pelvis"), ("S_shoulder", "neck"), ("S_shoulder", "S_hip"), ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"), ("S_collar", "S_shoulder"), ("spine1", "pelvis"), ("spine2", "spine1"), ("spine3", "spine2"),
    ("spine3", "neck"),
)  # fmt: skip
"""Neighbours on the body, S for either side; a missing point is replaced by the nearest found one along these links."""


def _nearest(name: str) -> list[str]:
    """All points by their number of links to ``name``, itself first."""
    links = [(a.replace("S", side), b.replace("S", side)) for a, b in _LINKS for side in ("left", "right")]
    order = [name]
    for point in order:
        for a, b in links:
            for here, there in ((a, b), (b, a)):
                if here == point and there not in order:
                    order.append(there)
    return order


def to_mediapipe(people: People, *, frames: int, width: int, height: int, fps: float) -> Keypoints:
    """One person's keypoints of any layout in MediaPipe's.

    Points that the layout lacks or the detector missed take the place of the nearest found one of the same person and frame
    (heel and toe from the ankle, face from nose, eyes and ears, fingers from the wrist), with visibility 0. SMPL's joints
    count as the limb points of the same name.

    Args:
        people: Rows of one track, at most one a frame.
        frames: Length of the video.
        width: Of the video, pixels.
        height: Pixels.
        fps: Frames a second.
    Returns:
        ``landmarks2d`` NaN in frames without a row; ``landmarks_world`` where the rows have MediaPipe's 3D points.
    Raises:
        ValueError: If there are no keypoints, a frame has two rows, or a row lies behind the end of the video.
    """
    if people.keypoints2d is None:
        raise ValueError(f"{people.path}: {people.source}: no keypoints2d in it; name a file of keypoints")
    if len(np.unique(people.frame)) != len(people):
        raise ValueError(f"{people.path}: a frame holds two people; take one track: people.take(people.track == number)")
    if people.frame.max(initial=0) >= frames:
        raise ValueError(
            f"{people.path}: a row is of frame {people.frame.max()} but the video has {frames} frames; they belong to "
            "different videos (or the video was cut after detection): run the detector on this very file"
        )
    known = {name.removeprefix("smpl_"): np.asarray(people.keypoints2d[:, i]) for i, name in enumerate(LAYOUTS[people.layout])}
    landmarks = np.full((frames, len(LANDMARKS), 3), np.nan, np.float32)
    for index, name in enumerate(LANDMARKS):
        point = np.full((len(people), 3), np.nan)
        for other in _nearest(name):
            found = known.get(other)
            if found is None:
                continue
            take = ~np.isfinite(point[:, 0]) & np.isfinite(found[:, :2]).all(axis=1)
            point[take, :2] = found[take, :2]
            point[take, 2] = np.nan_to_num(found[take, 2]) if other == name else 0.0
        landmarks[people.frame, index] = point
    world = None
    if people.layout == "mediapipe33" and people.keypoints3d is not None:
        world = np.full_like(landmarks, np.nan)
        world[people.frame] = people.keypoints3d
    return Keypoints(path=people.path, landmarks2d=landmarks, landmarks_world=world, fps=fps, width=width, height=height)
