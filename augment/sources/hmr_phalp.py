"""4D-Humans tracked by PHALP: a joblib dictionary with one entry a frame, each holding parallel lists with one item a track."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .hmr_rows import Picture, Rows, axis_angle_of, betas_of, frames_from_names, numbers, table
from .people import People

_LISTS = ("tid", "tracked_time", "bbox", "smpl", "camera")
CROP_FOCAL, CROP_SIZE = 5000.0, 256
"""PHALP's nominal lens: 5000 px on a square crop of 256 px (its configuration's defaults)."""


def is_phalp(data: Any) -> bool:
    """Whether this is PHALP's dictionary: keyed by frame, the values with ``tid`` and ``smpl``."""
    first = next(iter(data.values()), None) if isinstance(data, dict) else None
    return isinstance(first, dict) and "tid" in first and "smpl" in first


def read_phalp(path: Path, data: dict[Any, Any], picture: Picture) -> People:
    """Bodies of PHALP; ghosts (tracks that were predicted, not seen, in a frame) are left out and counted.

    ``camera`` is a translation for a lens of 5000 px on 256 px of the picture padded to a square, so that in the whole picture
    the focal length is 5000 / 256 times its longer side: some twenty times a real lens, and everybody as many times too far.
    Give ``focal`` to bring them near. Frame numbers come from the file names (``frames_from_names``); where the keys are no
    names with numbers, from ``time``, PHALP's own count of the frames it read.

    Raises:
        ValueError: If a list is absent or of another length than ``tid``, a shape is wrong, or ``size`` is another picture.
    Source:
        Keys, list lengths, box form, padding and lens confirmed in brjathu/PHALP (trackers/PHALP.py, models/hmar/hmar.py);
        the lens also in shubham-goel/4D-Humans (demo.py). From memory: nothing else.
    """
    frames = _frame_numbers(path, data)
    parts, ghosts = [], 0
    for frame, (key, entry) in zip(frames, data.items(), strict=True):
        count = len(entry.get("tid", ()))
        for name in _LISTS:
            if len(entry.get(name, ())) != count:
                raise ValueError(
                    f"{path}: frame {key!r}: field {name} has {len(entry.get(name, ()))} entries for {count} in tid; "
                    "the lists of a frame must be parallel"
                )
        seen = [i for i in range(count) if not entry["tracked_time"][i]]
        ghosts += count - len(seen)
        parts += [_row(path, key, entry, i, int(frame), picture) for i in seen]
    longer, (width, height) = max(picture.width, picture.height), (picture.width, picture.height)
    K = picture.intrinsics(CROP_FOCAL / CROP_SIZE * longer)
    K[:2, 2] = longer / 2 - (longer - width) // 2, longer / 2 - (longer - height) // 2
    notes = [f"{ghosts} predicted bodies (ghosts, tracked_time > 0) left out"] if ghosts else []
    whole = sorted(frames) == list(range(len(frames)))
    return table(path, "4D-Humans (PHALP)", parts, K, picture, notes=notes, frames=len(frames) if whole else None)


def _frame_numbers(path: Path, data: dict[Any, Any]) -> np.ndarray:
    if all(isinstance(key, str) and any(c.isdigit() for c in Path(key).stem) for key in data):
        return frames_from_names(path, list(data))
    times = [entry.get("time") for entry in data.values()]
    if any(time is None for time in times):
        raise ValueError(f"{path}: field time is absent and the keys (such as {next(iter(data))!r}) hold no frame numbers")
    return np.asarray(times, np.int64)


def _row(path: Path, key: Any, entry: dict[str, Any], i: int, frame: int, picture: Picture) -> Rows:
    where = f"frame {key!r}: "
    size = entry["size"][i] if len(entry.get("size", ())) > i else (picture.height, picture.width)
    if tuple(int(n) for n in size) != (picture.height, picture.width):
        raise ValueError(
            f"{path}: {where}field size is {size[1]}x{size[0]} but the video is {picture.width}x{picture.height}; "
            "use the estimates of this very video"
        )
    smpl = entry["smpl"][i]
    if not isinstance(smpl, dict) or not {"global_orient", "body_pose", "betas"} <= set(smpl):
        raise ValueError(f"{path}: {where}field smpl[{i}]: expected global_orient, body_pose and betas, found {smpl!r:.200}")
    root = numbers(path, np.reshape(smpl["global_orient"], (-1, 3, 3)), (1, 3, 3), f"{where}smpl[{i}].global_orient")
    pose = numbers(path, np.asarray(smpl["body_pose"])[None], (1, 23, 3, 3), f"{where}smpl[{i}].body_pose")
    box = numbers(path, entry["bbox"][i], (4,), f"{where}bbox[{i}]")
    confidence = entry["conf"][i] if len(entry.get("conf", ())) > i else np.nan
    return Rows(
        frame=np.array([frame]),
        track=int(entry["tid"][i]),
        global_orient=axis_angle_of(path, root, f"{where}smpl[{i}].global_orient"),
        body_pose=axis_angle_of(path, pose, f"{where}smpl[{i}].body_pose"),
        betas=betas_of(path, np.reshape(smpl["betas"], -1), 1, f"{where}smpl[{i}].betas"),
        transl=numbers(path, np.reshape(entry["camera"][i], (1, -1)), (1, 3), f"{where}camera[{i}]"),
        bbox=np.concatenate([box[:2], box[:2] + box[2:]])[None],
        confidence=np.array([float(confidence)]),
    )
