"""4D-Humans tracked by PHALP: a joblib dictionary with one entry a frame, each holding parallel lists with one item a track."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .hmr_rows import Picture, Rows, axis_angle_of, frames_from_names, numbers, table
from .people import People

_LISTS = ("tid", "tracked_time", "bbox", "smpl", "camera")
CROP_FOCAL, CROP_SIZE = 5000.0, 256
"""PHALP's nominal lens: 5000 px on a square crop of 256 px (its configuration's defaults)."""


def is_phalp(data: Any) -> bool:
    """Whether this is PHALP's dictionary: keyed by frame, the values with ``tid`` and ``smpl``."""
    first = next(iter(data.values()), None) if isinstance(data, dict) else None
    return isinstance(first, dict) and "tid" in first and "smpl" in first


def read_phalp(path: Path, data: dict[Any, Any], picture: Picture) -> People:
    """Bodies of PHALP; bodies that were predicted, not seen, in a frame (``tracked_time`` > 0) are left out and counted.

    ``camera`` is a translation for a lens of 5000 px on 256 px of the picture padded to a square, so that in the whole picture
    the focal length is 5000 / 256 times its longer side, about twenty times a real lens, and distances are as many times too
    large. Give ``focal`` to correct them. Frame numbers come from the file names (``frames_from_names``); where the keys are no
    names with numbers, from ``time``, PHALP's own count of the frames it read.

    Raises:
        ValueError: If a list is absent or of another length than ``tid``, a shape is wrong, or ``size`` is another picture.
    Source:
        Keys, list lengths, box form, padding and lens confirmed in brjathu/PHALP (trackers/PHALP.py, models/hmar/hmar.py);
        the lens also in shubham-goel/4D-Humans (demo.py).
    """
    frames = _frame_numbers(path, data)
    rows, ghosts = [], 0
    for frame, (key, entry) in zip(frames.tolist(), data.items(), strict=True):
        count = _count(path, key, entry)
        unseen = [numbers(path, entry["tracked_time"][i], (), f"frame {key!r}: tracked_time[{i}]") for i in range(count)]
        seen = [i for i in range(count) if unseen[i] == 0]
        ghosts += count - len(seen)
        rows += [_row(path, key, entry, i, frame, picture) for i in seen]
    longer, (width, height) = max(picture.width, picture.height), (picture.width, picture.height)
    K = picture.intrinsics(CROP_FOCAL / CROP_SIZE * longer)
    K[:2, 2] = longer / 2 - (longer - width) // 2, longer / 2 - (longer - height) // 2
    notes = [f"{ghosts} predicted bodies (ghosts, tracked_time > 0) left out"] if ghosts else []
    whole = sorted(frames) == list(range(len(frames)))
    length = len(frames) if whole else None
    return table(path, "4D-Humans (PHALP)", _stacked(path, rows), K, picture, notes=notes, frames=length)


def _frame_numbers(path: Path, data: dict[Any, Any]) -> np.ndarray:
    if all(isinstance(key, str) and any(c.isdigit() for c in Path(key).stem) for key in data):
        return frames_from_names(path, list(data))
    times = [entry.get("time") if isinstance(entry, dict) else None for entry in data.values()]
    if any(time is None for time in times):
        raise ValueError(f"{path}: field time is absent and the keys (such as {next(iter(data))!r}) hold no frame numbers")
    return np.asarray(times, np.int64)


def _count(path: Path, key: Any, entry: Any) -> int:
    """Number of tracks in a frame; ValueError if its lists are not parallel."""
    for name in _LISTS:
        found = entry.get(name) if isinstance(entry, dict) else None
        if not isinstance(found, list | tuple | np.ndarray):
            raise ValueError(f"{path}: frame {key!r}: lacks the list {name}")
        if len(found) != len(entry["tid"]):
            raise ValueError(
                f"{path}: frame {key!r}: field {name} has {len(found)} entries for {len(entry['tid'])} in tid; the lists of a "
                "frame must be parallel"
            )
    return len(entry["tid"])


def _row(path: Path, key: Any, entry: dict[str, Any], i: int, frame: int, picture: Picture) -> dict[str, Any]:
    """One body's fields, checked."""
    where = f"frame {key!r}: "

    def take(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        value = value.reshape(shape) if isinstance(value, np.ndarray) and value.size == np.prod(shape) else value
        return numbers(path, value, shape, f"{where}{name}")

    sizes = entry.get("size")
    if isinstance(sizes, list | tuple | np.ndarray) and len(sizes) > i:
        size = take(f"size[{i}]", sizes[i], (2,))
        if tuple(size) != (picture.height, picture.width):
            raise ValueError(
                f"{path}: {where}field size is {size[1]:.0f}x{size[0]:.0f} but the video is {picture.width}x{picture.height}; "
                "use the estimates of this very video"
            )
    smpl = entry["smpl"][i]
    if not isinstance(smpl, dict) or not {"global_orient", "body_pose", "betas"} <= set(smpl):
        raise ValueError(f"{path}: {where}field smpl[{i}]: expected global_orient, body_pose and betas, found {smpl!r:.200}")
    box = take(f"bbox[{i}]", entry["bbox"][i], (4,))
    scores = entry.get("conf")
    return {
        "frame": frame,
        "name": f"frame {key!r}",
        "track": int(take(f"tid[{i}]", entry["tid"][i], ())),
        "root": take(f"smpl[{i}].global_orient", smpl["global_orient"], (3, 3)),
        "pose": take(f"smpl[{i}].body_pose", smpl["body_pose"], (23, 3, 3)),
        "betas": take(f"smpl[{i}].betas", smpl["betas"], (10,)),
        "transl": take(f"camera[{i}]", entry["camera"][i], (3,)),
        "bbox": np.concatenate([box[:2], box[:2] + box[2:]]),
        "confidence": float(take(f"conf[{i}]", scores[i], ())) if isinstance(scores, list) and len(scores) > i else np.nan,
    }


def _stacked(path: Path, rows: list[dict[str, Any]]) -> list[Rows]:
    if not rows:
        return []
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "name"}
    names = [row["name"] for row in rows]
    return [
        Rows(
            frame=columns["frame"].astype(np.int64),
            track=columns["track"].astype(np.int64),
            global_orient=axis_angle_of(path, columns["root"], "smpl[].global_orient", names),
            body_pose=axis_angle_of(path, columns["pose"], "smpl[].body_pose", names),
            betas=columns["betas"],
            transl=columns["transl"],
            bbox=columns["bbox"],
            confidence=columns["confidence"] if np.isfinite(columns["confidence"]).all() else None,
        )
    ]
