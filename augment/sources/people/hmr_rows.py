"""Shared by all readers of body estimators: checked fields of their dictionaries, and rows joined to one table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from ...geometry import matrix_to_axis_angle
from .people import People, check_people

FAR = 30.0
"""Largest plausible median distance, metres, for a focal length of the picture's diagonal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The video the estimates belong to."""

    width: int
    """Pixels."""
    height: int
    focal: float | None = None
    """Focal length the translations shall hold for, pixels; None for the producer's own."""

    @property
    def diagonal(self) -> float:
        """Pixels; the focal length assumed where a producer states none (53 degrees from corner to corner)."""
        return float(np.hypot(self.width, self.height))

    def intrinsics(self, focal: float) -> Float[np.ndarray, "3 3"]:
        """K with square pixels and the principal point in the middle."""
        return np.array([[focal, 0.0, self.width / 2], [0.0, focal, self.height / 2], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some of the rows of a ``People`` table, in its units and frames."""

    frame: Int[np.ndarray, " n"]
    track: int | Int[np.ndarray, " n"]
    global_orient: Float[np.ndarray, "n 3"]
    body_pose: Float[np.ndarray, "n 23 3"]
    betas: Float[np.ndarray, "n 10"]
    transl: Float[np.ndarray, "n 3"] | None = None
    bbox: Float[np.ndarray, "n 4"] | None = None
    confidence: Float[np.ndarray, " n"] | None = None
    keypoints2d: Float[np.ndarray, "n k 3"] | None = None


def field_of(path: Path, holder: Any, name: str, shape: tuple[int | None, ...], where: str = "") -> np.ndarray:
    """An array of numbers by its key.

    Args:
        path: For messages.
        holder: The dictionary.
        name: Its key.
        shape: Expected sizes; None for any.
        where: Path to the dictionary, for messages: ``people[3].smplx_cam``.
    Raises:
        ValueError: If the key is absent or the value is no array of numbers of that shape; the message names file and field.
    """
    label = f"{where}.{name}" if where else str(name)
    if not isinstance(holder, dict) or name not in holder:
        found = ", ".join(map(str, list(holder)[:20])) if isinstance(holder, dict) else type(holder).__name__
        raise ValueError(f"{path}: lacks the field {label}; found {found}")
    return numbers(path, holder[name], shape, label)


def numbers(path: Path, value: Any, shape: tuple[int | None, ...], label: str) -> np.ndarray:
    """An array, tensor or list of numbers as float64 of an expected shape, or ValueError naming ``label``."""
    if value is None:
        raise ValueError(f"{path}: lacks the field {label}")
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: field {label} is not an array of numbers ({error})") from error
    fits = array.ndim == len(shape) and all(b is None or a == b for a, b in zip(array.shape, shape, strict=True))
    if not fits:
        wanted = "(" + ", ".join("n" if size is None else str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{path}: field {label}: expected shape {wanted}, found {array.shape}")
    return array


def array_of(path: Path, value: Any, label: str) -> np.ndarray:
    """An array, tensor or list as an array, or ValueError naming ``label`` where it is None."""
    if value is None:
        raise ValueError(f"{path}: lacks the field {label}")
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def frames_of(path: Path, value: Any, count: int, label: str) -> Int[np.ndarray, " n"]:
    """Whole frame numbers, as many as there are poses."""
    frames = numbers(path, value, (None,), label)
    if len(frames) != count:
        raise ValueError(
            f"{path}: field {label} has {len(frames)} entries for {count} poses; they must match: write the file again"
        )
    if not np.isfinite(frames).all() or (frames != frames.round()).any():
        raise ValueError(f"{path}: field {label} must be whole frame numbers; found {frames[:3]}...")
    return frames.astype(np.int64)


def axis_angle_of(
    path: Path, matrices: Float[np.ndarray, "n *j 3 3"], label: str, names: Sequence[str] = ()
) -> Float[np.ndarray, "n *j 3"]:
    """Rotation matrices as axis-angle; ValueError where they are no rotations, naming the first such row by ``names``."""
    with np.errstate(invalid="ignore"):
        error = np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).reshape(len(matrices), -1).max(axis=1, initial=0.0)
        proper = (np.linalg.det(matrices) > 0).reshape(len(matrices), -1).all(axis=1) & (error <= 0.02)
    if not proper.all():
        row = int(np.argmin(proper))
        where = names[row] if names else f"row {row}"
        if not np.isfinite(matrices[row]).all():
            raise ValueError(f"{path}: field {label} holds NaN at {where}; run the estimator again or leave that person out")
        raise ValueError(
            f"{path}: field {label} does not hold rotation matrices at {where} (off by {error[row]:.2g}, or mirrored)"
        )
    return matrix_to_axis_angle(torch.as_tensor(matrices)).numpy()


def pose_of(path: Path, value: Any, label: str) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 23 3"]]:
    """Root and 23 joints from SMPL's 24 rotations: axis-angle (n, 72) or (n, 24, 3), or matrices (n, 24, 3, 3)."""
    array = array_of(path, value, label)
    if array.ndim == 4:
        pose = axis_angle_of(path, numbers(path, value, (None, 24, 3, 3), label), label)
    else:
        shape = (None, 24, 3) if array.ndim == 3 else (None, 72)
        pose = numbers(path, value, shape, label).reshape(-1, 24, 3)
    return pose[:, 0], pose[:, 1:]


def betas_of(path: Path, value: Any, count: int, label: str) -> Float[np.ndarray, "n 10"]:
    """The first ten shape numbers for each row; one shape for all rows is repeated."""
    array = array_of(path, value, label)
    if array.ndim == 1:
        array = np.repeat(array[None], count, axis=0)
    betas = numbers(path, array, (count, None), label)
    if betas.shape[1] < 10:
        raise ValueError(f"{path}: field {label}: expected at least 10 shape numbers, found {betas.shape[1]}")
    return betas[:, :10]


def body21(pose: Float[np.ndarray, "n 63"]) -> Float[np.ndarray, "n 23 3"]:
    """SMPL-X's 21 body joints as SMPL's 23: the two hand joints stay flat."""
    return np.concatenate([pose.reshape(-1, 21, 3), np.zeros((len(pose), 2, 3))], axis=1)


def frames_from_names(path: Path, names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Frame numbers from file names: the last number in each, less one unless some file is number 0.

    Extractors count from 1 (ffmpeg's ``%06d``, PHALP) or from 0. A number followed by letters (``keypoints_2d``) does not
    count.

    Raises:
        ValueError: If a name holds no number, or two names the same.
    """
    numbered = []
    for name in names:
        found = re.findall(r"\d+(?![0-9A-Za-z])", Path(name).stem)
        if not found:
            raise ValueError(f"{path}: no frame number in the file name {name!r}; number the files by frame")
        numbered.append(int(found[-1]))
    frames = np.array(numbered, np.int64)
    if len(np.unique(frames)) != len(frames):
        double = names[int(np.flatnonzero(np.bincount(np.unique(frames, return_inverse=True)[1]) > 1)[0])]
        raise ValueError(f"{path}: file names give one frame number twice (such as {double!r}); number the files by frame")
    return frames if (frames == 0).any() else frames - 1


def table(
    path: Path, source: str, parts: Sequence[Rows], K: Float[np.ndarray, "3 3"], picture: Picture, *,
    notes: Sequence[str] = (), frames: int | None = None, layout: str = "",
) -> People:  # fmt: skip
    """Rows of all people as one checked table whose ``transl`` holds for ``picture.focal``.

    Another focal length scales z alone, which keeps the pelvis's pixel and the person's size in the picture: with twice the
    focal length a person is twice as far away.

    Raises:
        ValueError: If there is nobody, a body holds NaN, or translations cannot be metres.
    """
    if not parts or not sum(len(part.frame) for part in parts):
        raise ValueError(f"{path}: {source}: nobody in it: no frame holds a body")
    columns: dict[str, Any] = {"frame": np.concatenate([part.frame for part in parts])}
    columns["track"] = np.concatenate([np.broadcast_to(part.track, len(part.frame)) for part in parts]).astype(np.int64)
    optional = ("transl", "bbox", "confidence", "keypoints2d")
    for name in ("global_orient", "body_pose", "betas", *optional):
        values = [getattr(part, name) for part in parts]
        if all(value is not None for value in values):
            columns[name] = np.concatenate(values)
    people = check_people(
        People(
            path=path, source=source, K=K if "transl" in columns else None, width=picture.width, height=picture.height,
            frames=frames, notes=tuple(notes), layout=layout if "keypoints2d" in columns else "", **columns,
        )
    )  # fmt: skip
    return _rescaled(separate_doubles(people), picture)


def _rescaled(people: People, picture: Picture) -> People:
    K, transl = people.K, people.transl
    if transl is None or K is None:
        return people
    focal = float(K[0, 0])
    distance = float(np.median(np.linalg.norm(transl * [1, 1, picture.diagonal / focal], axis=1)))
    if distance > FAR:
        raise ValueError(
            f"{people.path}: {people.source}: field transl: bodies lie {distance:.0f} m away (median, as seen by a "
            f"{picture.diagonal:.0f} px lens); expected metres, at most {FAR:.0f}: if these are millimetres, divide by 1000"
        )
    before = transl[:, 2] > 0
    if before.mean() < 0.5:
        raise ValueError(
            f"{people.path}: {people.source}: field transl: {(~before).sum()} of {len(before)} bodies lie behind the camera; "
            "expected OpenCV camera axes, z forward: are these the world's translations?"
        )
    if not before.all():
        note = f"{(~before).sum()} bodies behind the camera left out"
        people, transl = replace(people.take(before), notes=(*people.notes, note)), transl[before]
    if picture.focal is None or np.isclose(picture.focal, focal):
        return people
    K = K.copy()
    K[[0, 1], [0, 1]] *= picture.focal / focal
    note = f"z times {picture.focal / focal:.4g}: from the producer's focal length of {focal:.0f} px to {picture.focal:.0f} px"
    return replace(people, transl=transl * [1.0, 1.0, picture.focal / focal], K=K, notes=(*people.notes, note))


def separate_doubles(people: People) -> People:
    """Two people with one id in one frame get separate tracks: the second of each id gets one new id."""
    track, frame = people.track.copy(), people.frame
    order = np.lexsort((np.arange(len(track)), track, frame))
    same = np.zeros(len(track), int)  # how many rows of the same id and frame came before
    for before, row in itertools.pairwise(order):
        if frame[row] == frame[before] and track[row] == track[before] >= 0:
            same[row] = same[before] + 1
    doubles = np.flatnonzero(same)
    if not len(doubles):
        return people
    fresh: dict[tuple[int, int], int] = {}
    unused = int(track.max()) + 1
    for row in doubles:
        key = (int(track[row]), int(same[row]))
        if key not in fresh:
            fresh[key], unused = unused, unused + 1
        track[row] = fresh[key]
    ids = ", ".join(f"{old} -> {new}" for (old, _), new in fresh.items())
    note = f"{len(doubles)} rows stood a second time under one id in one frame and got fresh tracks ({ids})"
    separated = replace(people, track=track, notes=(*people.notes, note))
    return separated.take(np.lexsort((track, frame)))
