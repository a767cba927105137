"""Keypoints in JSON: COCO's annotations and results, and OpenPose's one file a frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...files import load_json
from .hmr_rows import frames_from_names

_OPENPOSE18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
"""Index of each of COCO's 17 points among the 18 of OpenPose's older body, whose neck is 1."""


Columns = tuple[dict[str, Any], list[str]]
"""Columns of a ``People`` table, and notes."""


def _points(path: Path, value: Any, counts: dict[int, Any], label: str) -> Float[np.ndarray, "k 3"]:
    """A flat list of x, y, confidence; ``counts`` maps each known number of points to the ones to take."""
    try:
        flat = np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: field {label} is not a list of numbers ({error})") from error
    if len(flat) % 3 or len(flat) // 3 not in counts:
        known = " or ".join(str(3 * count) for count in counts)
        raise ValueError(f"{path}: field {label}: expected {known} numbers (x, y, confidence), found {len(flat)}")
    points = flat.reshape(-1, 3)[counts[len(flat) // 3]].copy()
    points[~(points[:, 2] > 0)] = np.nan
    return points


# --- COCO


def _is_coco(content: Any) -> bool:
    rows = content.get("annotations") if isinstance(content, dict) else content
    return isinstance(rows, list) and (not rows or (isinstance(rows[0], dict) and "image_id" in rows[0]))


def _read_coco(path: Path, content: Any) -> Columns:
    """COCO's annotations dictionary, or its list of results (also AlphaPose's).

    Frames come from the numbers in ``images[].file_name`` (``frames_from_names``), in the order of ids where the names hold
    none. In a bare list they are ``image_id`` itself, a number or a file name, less one unless there is a 0. ``track_id`` (or
    AlphaPose's ``idx``) is the track where given. Annotators' flags 0, 1, 2 become confidences none, 0.5, 1.
    """
    images = content.get("images", []) if isinstance(content, dict) else []
    rows = content["annotations"] if isinstance(content, dict) else content
    kept = [(i, row) for i, row in enumerate(rows) if isinstance(row, dict) and any(row.get("keypoints") or ())]
    if not kept:
        raise ValueError(f"{path}: COCO: nobody in it: no row of {len(rows)} has keypoints")
    lacking = next((i for i, row in kept if "image_id" not in row), None)
    if lacking is not None:
        raise ValueError(f"{path}: lacks the field annotations[{lacking}].image_id")
    body = {17: slice(None), 133: slice(0, 17)}
    points = np.stack([_points(path, row["keypoints"], body, f"annotations[{i}].keypoints") for i, row in kept])
    third = points[:, :, 2][np.isfinite(points[:, :, 2])]
    if len(third) and np.isin(third, (1, 2)).all() and (third == 2).any():
        points[:, :, 2] /= 2
    found = np.isfinite(points[:, :, 0]).any(axis=1)
    notes = [f"{len(rows) - found.sum()} rows without keypoints left out"] if found.sum() < len(rows) else []
    columns: dict[str, Any] = {
        "source": "COCO keypoints", "layout": "coco17", "keypoints2d": points[found],
        "frame": _coco_frames(path, [row["image_id"] for _, row in kept], images)[found],
        "track": np.array([_coco_track(row) for _, row in kept])[found],
    }  # fmt: skip
    if images:
        columns["frames"] = len(images)
        sizes = {(image.get("width"), image.get("height")) for image in images}
        if len(sizes) == 1:
            columns["width"], columns["height"] = sizes.pop()
    if all("score" in row for _, row in kept):
        columns["confidence"] = np.clip([float(row["score"]) for _, row in kept], 0, 1)[found]
    if all(len(row.get("bbox") or ()) == 4 for _, row in kept):
        boxes = np.array([row["bbox"] for _, row in kept], float)[found]
        columns["bbox"] = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return columns, notes


def _coco_track(row: dict[str, Any]) -> int:
    value = row.get("track_id", row.get("idx", -1))
    value = value[0] if isinstance(value, list) and value else value
    return int(value) if isinstance(value, int | float) else -1


def _coco_frames(path: Path, image_ids: list[Any], images: list[dict[str, Any]]) -> Int[np.ndarray, " n"]:
    if images:
        names = {image["id"]: str(image.get("file_name", "")) for image in images}
        missing = next((i for i in image_ids if i not in names), None)
        if missing is not None:
            raise ValueError(f"{path}: field annotations[].image_id: {missing!r} is not among images[].id")
        if all(re.search(r"\d", Path(name).stem) for name in names.values()):
            numbered = frames_from_names(path, list(names.values()))
        else:
            numbered = np.argsort(np.argsort(list(names)))
        frame_of = dict(zip(names, numbered.tolist(), strict=True))
    elif all(isinstance(i, int) for i in image_ids):
        start = 0 if 0 in image_ids else 1
        frame_of = {i: i - start for i in image_ids}
    else:
        distinct = sorted({str(i) for i in image_ids})
        by_name = dict(zip(distinct, frames_from_names(path, distinct).tolist(), strict=True))
        frame_of = {i: by_name[str(i)] for i in image_ids}
    return np.array([frame_of[i] for i in image_ids], np.int64)


# --- OpenPose


def _is_openpose(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("people"), list)


def _read_openpose(path: Path, content: dict[str, Any]) -> Columns:
    """One file: one picture, frame 0."""
    return _openpose({path: content}, np.zeros(1, np.int64))


def read_openpose_folder(path: Path) -> Columns:
    """One file a frame; the frame is the last number in the name (see ``frames_from_names``).

    OpenPose numbers the frames of a video from 0 with twelve digits; such numbers are frame numbers.
    """
    files = sorted(path.glob("*_keypoints.json")) or sorted(path.glob("*.json"))
    contents = {file: load_json(file) for file in files}
    used = {file: content for file, content in contents.items() if _is_openpose(content)}
    if not used:
        raise ValueError(f"{path}: {len(files)} .json files, none of them OpenPose's (a dictionary with the list people)")
    twelve = [re.search(r"(?<!\d)\d{12}(?!\d)", file.stem) for file in used]
    if all(twelve):
        frames = np.array([int(match[0]) for match in twelve if match], np.int64)
    else:
        frames = frames_from_names(path, [file.name for file in used])
    columns, notes = _openpose(used, frames)
    if len(used) < len(contents):
        notes.append(f"{len(contents) - len(used)} .json files that are not OpenPose's left out")
    if sorted(frames.tolist()) == list(range(len(frames))):
        columns["frames"] = len(frames)
    return columns, notes


def _openpose(contents: dict[Path, dict[str, Any]], frames: Int[np.ndarray, " f"]) -> Columns:
    rows, points, tracks, empty = [], [], [], 0
    kinds = {25: slice(None), 18: list(_OPENPOSE18)}
    for frame, (file, content) in zip(frames.tolist(), contents.items(), strict=True):
        for i, person in enumerate(content["people"]):
            label = f"people[{i}].pose_keypoints_2d"
            if not isinstance(person, dict) or "pose_keypoints_2d" not in person:
                raise ValueError(f"{file}: lacks the field {label}; run OpenPose with the body on")
            found = _points(file, person["pose_keypoints_2d"], kinds, label)
            if not np.isfinite(found).any():
                empty += 1
                continue
            if points and len(found) != len(points[0]):
                raise ValueError(f"{file}: field {label} is of another OpenPose model than the files before it")
            ids = person.get("person_id", [-1])
            tracks.append(int(ids[0] if isinstance(ids, list) and ids else -1))
            rows.append(frame)
            points.append(found)
    layout = "openpose25" if points and len(points[0]) == 25 else "coco17"
    columns: dict[str, Any] = {
        "source": "OpenPose", "layout": layout, "frame": np.array(rows, np.int64),
        "track": np.array(tracks, np.int64), "keypoints2d": np.stack(points) if points else np.zeros((0, 25, 3)),
    }  # fmt: skip
    return columns, [f"{empty} people without one body point left out"] if empty else []


KEYPOINT_READERS: dict[str, tuple[Callable[[Any], bool], Callable[[Path, Any], Columns]]] = {
    "COCO keypoints": (_is_coco, _read_coco),
    "OpenPose": (_is_openpose, _read_openpose),
}
"""Name of a JSON format to its recogniser (of the parsed content) and its reader.

Field names: OpenPose's output documentation and a real file; COCO's annotation documentation and AlphaPose's.
"""
