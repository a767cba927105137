"""The formats that clips can be exported to, by name."""

from __future__ import annotations

import csv
import io
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from augment.actions import FRAME_LABELS
from augment.files import canonical_json, write_atomic
from augment.sources.people.people import COCO17, COCO17_LIMBS, People

from ..recordings import Recording
from .clips import ExportClip, all_frames, keypoints_of, picture_size, write_video

SKELETON = [(one + 1, other + 1) for one, other in COCO17_LIMBS]
"""COCO's links between its keypoints, counted from 1."""
SEEN = 0.5
"""Confidence from which a point counts as visible in COCO's flags (1 below it, 0 for none)."""


@dataclass(slots=True, kw_only=True)
class Export:
    """What is being exported; every format writes its clips one by one."""

    out: Path
    labels: list[str]
    """Their place is their number."""
    split: str
    """Name of the list, such as ``train``."""
    errors: bool
    """Keypoints of shards as a detector would give them."""
    every: int
    """Of how many frames one is exported (COCO)."""
    rows: list[Any]
    """What the format gathers."""
    kept: dict[str, np.ndarray]
    """Frames of the recording decoded last."""


def class_folder(export: Export, clip: ExportClip) -> None:
    """Kinetics' layout: SPLIT/LABEL/NAME.mp4."""
    folder = re.sub(r"[^\w. -]+|^\.+", "_", clip.label)
    write_video(clip, export.out / export.split / folder / f"{clip.name}.mp4", kept=export.kept)


def video_list(export: Export, clip: ExportClip) -> None:
    """MMAction2's list of videos: SPLIT.txt with ``videos/NAME.mp4 NUMBER`` in every line.

    Source:
        MMAction2, mmaction/datasets/video_dataset.py (its docstring).
    """
    path = Path("videos") / f"{clip.name}.mp4"
    write_video(clip, export.out / path, kept=export.kept)
    export.rows.append(f"{path.as_posix()} {export.labels.index(clip.label)}")


def pose_annotation(export: Export, clip: ExportClip) -> None:
    """MMAction2's annotation of one clip for its ``PoseDataset``.

    Source:
        PYSKL, data/README (the fields of an annotation file).
    """
    points = _keypoints(export, clip)
    width, height = picture_size(clip.recording)
    export.rows.append({
        "frame_dir": clip.name, "label": export.labels.index(clip.label), "img_shape": (height, width),
        "original_shape": (height, width), "total_frames": len(points),
        "keypoint": points[None, :, :, :2].astype(np.float32), "keypoint_score": points[None, :, :, 2].astype(np.float32),
    })  # fmt: skip


def _keypoints(export: Export, clip: ExportClip) -> Float[np.ndarray, "t 17 3"]:
    """A clip's keypoints; ValueError if they end before it."""
    points = keypoints_of(clip.recording, errors=export.errors)[clip.first : clip.last]
    if not len(points):
        raise ValueError(f"{clip.recording.name}: its keypoints end before frame {clip.first}")
    return points


def coco_frames(export: Export, clip: ExportClip) -> None:
    """COCO's images and annotations of a clip's frames, with the pictures where there are any."""
    points = _keypoints(export, clip)[:: export.every]
    size = picture_size(clip.recording)
    pictures = all_frames(clip.recording, export.kept) if clip.recording.has_video else None
    for offset, person in enumerate(points):
        number = clip.first + offset * export.every
        name = f"pictures/{clip.name}/{number:06d}.jpg"
        if pictures is not None and number < len(pictures):
            ok, data = cv2.imencode(".jpg", pictures[number][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            assert ok
            _write(export.out / name, data.tobytes())
        export.rows.append((name, size, person, clip))


def omnifall_rows(export: Export, clip: ExportClip) -> None:
    """OmniFall's segments of a whole recording, and its video at ``path`` with ``.mp4``.

    Source:
        OmniFall, STRUCTURE.md (the seven columns; -1 where subject or camera are unknown).
    """
    path, recording = Path("videos") / clip.name, clip.recording
    if recording.has_video:
        write_video(clip, export.out / path.with_suffix(".mp4"), kept=export.kept)
    for segment in recording.segments:
        known = segment.label in FRAME_LABELS
        label = FRAME_LABELS.index(segment.label if known else "other")
        times = (f"{segment.start_sec:.3f}", f"{min(segment.end_sec, recording.seconds):.3f}")
        export.rows.append(
            (path.as_posix(), label, *times, _number(recording, "subject"), _number(recording, "camera"), export.split)
        )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


def _number(recording: Recording, column: str) -> int:
    """The number in a column's text; -1 where there is none."""
    found = re.search(r"\d+", recording.row.get(column, ""))
    return int(found[0]) if found else -1


def no_end(export: Export) -> Path:
    """The folder is all there is."""
    return export.out / export.split


def write_list(export: Export) -> Path:
    """``SPLIT.txt``."""
    path = export.out / f"{export.split}.txt"
    _write(path, ("\n".join(export.rows) + "\n").encode())
    return path


def write_poses(export: Export) -> Path:
    """``SPLIT.pkl``: the split's names and the annotations."""
    path = export.out / f"{export.split}.pkl"
    content = {"split": {export.split: [row["frame_dir"] for row in export.rows]}, "annotations": export.rows}
    _write(path, pickle.dumps(content, protocol=4))
    return path


def write_coco(export: Export) -> Path:
    """``SPLIT.json``: COCO's keypoint annotations."""
    path = export.out / f"{export.split}.json"
    images, annotations = [], []
    for number, (name, (width, height), person, clip) in enumerate(export.rows, start=1):
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        row = coco_annotation(person)
        if row is not None:
            annotations.append({"id": len(annotations) + 1, "image_id": number, "action": clip.label, "track_id": 1, **row})
    categories = [{"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO17), "skeleton": SKELETON}]
    info = {"description": "exported by understudy", "version": "1"}
    content = {"info": info, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
    _write(path, canonical_json(content))
    return path


def coco_annotation(person: Float[np.ndarray, "17 3"]) -> dict[str, Any] | None:
    """COCO's fields of one person; None where no point was found. Unseen points keep their place, with flag 1."""
    found = np.abs(person[:, :2]).sum(axis=1) > 0
    if not (person[:, 2] > 0).any():
        return None
    flags = np.where(found, np.where(person[:, 2] >= SEEN, 2, 1), 0)
    flat = np.column_stack([np.where(found[:, None], person[:, :2], 0).round(2), flags])
    low, high = person[found, :2].min(axis=0), person[found, :2].max(axis=0)
    width, height = (high - low).round(2).tolist()
    return {
        "category_id": 1, "iscrowd": 0, "keypoints": flat.reshape(-1).tolist(), "num_keypoints": int((flags > 0).sum()),
        "bbox": [*low.round(2).tolist(), width, height], "area": round(width * height, 2),
    }  # fmt: skip


def write_detections(people: People, path: Path, *, frames: int) -> Path:
    """A detector's people as COCO's annotations of a video's frames."""
    images = [{"id": n, "file_name": f"{n:06d}.jpg", "width": people.width, "height": people.height} for n in range(frames)]
    points = np.nan_to_num(np.stack([people.point(name) for name in COCO17], axis=1))
    rows = [
        {"id": row + 1, "image_id": int(people.frame[row]), "track_id": int(people.track[row]), "category_id": 1,
         "keypoints": points[row].round(4).reshape(-1).tolist()}
        for row in range(len(people))
    ]  # fmt: skip
    _write(path, canonical_json({"images": images, "annotations": rows}))
    return path


def write_omnifall(export: Export) -> Path:
    """``SPLIT.csv``."""
    path, text = export.out / f"{export.split}.csv", io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "start", "end", "subject", "cam", "dataset"))
    writer.writerows(export.rows)
    _write(path, text.getvalue().encode())
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format."""

    add: Callable[[Export, ExportClip], None]
    """Writes or gathers one clip; ValueError if it cannot be used."""
    end: Callable[[Export], Path]
    """Writes what was gathered; returns the file or folder to name to the format's reader."""
    whole: bool = False
    """Always of whole recordings."""
    uses: tuple[str, ...] = ()
    """Options that not all formats have: fields of the command."""


FORMATS: dict[str, Format] = {
    "class-folders": Format(add=class_folder, end=no_end),
    "mmaction2": Format(add=video_list, end=write_list),
    "mmaction2-pose": Format(add=pose_annotation, end=write_poses, uses=("detector_errors",)),
    "coco": Format(add=coco_frames, end=write_coco, uses=("detector_errors", "every")),
    "omnifall": Format(add=omnifall_rows, end=write_omnifall, whole=True),
}
"""Name to format. Extending = one function and one entry here."""


def export_to(
    name: str, export: Export, clips: Sequence[ExportClip], *, progress: Callable[[int, int], Any] = lambda done, total: None
) -> tuple[Path, list[str]]:
    """Write clips.

    Args:
        name: A key of ``FORMATS``.
        export: Where and how.
        clips: What.
        progress: Called with how many are done, and how many there are.
    Returns:
        What to name to the format's reader, and the reasons for clips that were left out.
    Raises:
        ValueError: If no clip could be used; the first reason is named.
    """
    chosen, problems = FORMATS[name], []
    for number, clip in enumerate(clips, start=1):
        try:
            chosen.add(export, clip)
        except (ValueError, FileNotFoundError) as error:
            known = isinstance(error, ValueError)
            problems.append(str(error) if known else f"{clip.recording.name}: no such file: {error.filename}")
        progress(number, len(clips))
    if len(problems) == len(clips):
        raise ValueError(f"none of {len(clips)} clips can be exported: {problems[0] if problems else 'there are none'}")
    _write(export.out / "labels.txt", ("\n".join(export.labels) + "\n").encode())
    return chosen.end(export), problems
