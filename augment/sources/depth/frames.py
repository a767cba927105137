"""Frame numbers of depth maps: from the files' names in a folder, or from fields of one file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .files import DepthFile

SUFFIXES: tuple[tuple[str, ...], ...] = (
    (".npz",), (".npy",), (".pt", ".pth"), (".pfm",), (".tif", ".tiff"), (".png", ".pgm"),
)  # fmt: skip
"""The first of these kinds that a folder holds is read: arrays before pictures."""

FRAME_KEYS = ("frame", "frames", "frame_ids", "frame_idx")
"""Names under which an npz may number its maps."""


def files_of(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Depth files of a folder, all of one kind, and a note on what was left out."""
    entries = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    for suffixes in SUFFIXES:
        files = [p for p in entries if p.suffix.lower() in suffixes]
        if files:
            rest = len([p for p in entries if p.suffix.lower() in sum(SUFFIXES, ())]) - len(files)
            return files, (f"{rest} files of other kinds beside the {suffixes[0]} files were not read",) if rest else ()
    wanted = ", ".join(sum(SUFFIXES, ()))
    below = next((p for p in sorted(folder.rglob("*")) if p.suffix.lower() in sum(SUFFIXES, ())), None)
    hint = f"; there is {below.relative_to(folder)} further down: name that file or its folder" if below else ""
    raise ValueError(f"{folder}: no depth maps in this folder (looked for {wanted}){hint}")


def frames_of_file(file: DepthFile, n: int, frames: int | None) -> tuple[np.ndarray, str]:
    """Video frames of the maps of one file, and what was assumed."""
    for key in FRAME_KEYS:
        if file.shapes.get(key) == (n,):
            number = np.asarray(file.read(key)).astype(int)
            _check_frames(file.path, number, frames)
            if (np.diff(number) <= 0).any():
                raise ValueError(f"{file.path}: field {key}: frame numbers must ascend, found {number.tolist()[:8]}...")
            return number, ""
    digits = re.findall(r"\d{3,}", file.path.stem)
    if n == 1 and digits and (frames is None or int(digits[-1]) < frames):
        return np.array([int(digits[-1])]), ""
    if n == 1:
        return np.zeros(1, int), "the one map is taken to be of frame 0: its name holds no frame number"
    if frames is not None and n != frames:
        raise ValueError(
            f"{file.path}: holds {n} unnumbered maps but the video has {frames} frames; add an array 'frame' with the {n} "
            "frame numbers to the npz, or save one file a frame with the number in its name"
        )
    return np.arange(n), "" if frames is not None else "maps count the video's frames from 0"


def frames_of_names(folder: Path, files: Sequence[Path], frames: int | None) -> tuple[np.ndarray, str]:
    """Video frames of a folder's files from the run of digits that differs between their names."""
    groups = [re.findall(r"\d+", p.stem) for p in files]
    if not any(groups):
        if frames is not None and len(files) != frames:
            raise ValueError(
                f"{folder}: {len(files)} files without a number in their names but the video has {frames} frames; name each "
                "file by its frame (depth_000012.npy)"
            )
        return np.arange(len(files)), "files without numbers are taken in order of name from frame 0"
    if len({len(group) for group in groups}) > 1:
        odd = min(zip(groups, files, strict=True), key=lambda pair: len(pair[0]))[1]
        raise ValueError(f"{folder}: file names are not of one pattern ({files[0].name}, {odd.name}); one number a frame")
    columns = np.array([[int(text) for text in group] for group in groups], dtype=object).T
    distinct = [column for column in columns if len(set(column)) == len(files)]
    if not distinct:
        raise ValueError(f"{folder}: no number in the file names is different for every file ({files[0].name}, ...)")
    number = distinct[-1].astype(int)
    _check_frames(folder, number, frames)
    return number, ""


def _check_frames(path: Path, number: np.ndarray, frames: int | None) -> None:
    if (number < 0).any() or (frames is not None and (number >= frames).any()):
        raise ValueError(
            f"{path}: frame numbers run from {number.min()} to {number.max()} but the video's from 0 to "
            f"{'...' if frames is None else frames - 1}; frames count from 0: these maps are of another video, or count from 1"
        )
