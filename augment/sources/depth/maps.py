"""Depth maps of a video from any estimator or depth camera, at the video's size, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from .files import open_depth_file
from .formats import DepthFormat, as_kind, count_maps, read_K, read_map, recognise
from .frames import files_of, frames_of_file, frames_of_names
from .rgbd import check_encoding

ASPECT_TOLERANCE = 0.01
"""Largest relative difference of aspect ratio between maps and video."""

EDGE = 0.05
"""Neighbours that differ by more than this share of their value are an edge, across which nothing is interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthMaps:
    """Depth of some frames of one video, at the video's size; values stay on disk until ``load`` asks for them.

    Every map is z-depth (or disparity, proportional to 1/z up to an offset) of its own frame, along the camera's axis.
    """

    path: Path
    """File or folder they were read from."""
    source: str
    """Name of the format, for messages and provenance."""
    frame: Int[np.ndarray, " n"]
    """Frame of the video, from 0, ascending."""
    kind: str
    """``disparity`` (1/z = scale * value + offset) or ``depth`` (z = scale * value + offset)."""
    metric: bool
    """True: depth in metres, up to a small scale and with no offset. False: scale and offset are unknown."""
    width: int
    """Width of the video and of every map that ``load`` gives, pixels."""
    height: int
    K: Float[np.ndarray, "3 3"] | None = None
    """Intrinsics the producer estimated, pixels of the video; the median over frames where it gives one a frame."""
    per_frame_affine: bool = False
    """Every map has its own scale and offset, because each frame was stretched on its own."""
    notes: tuple[str, ...] = ()
    """Assumptions made while reading, as text for the report."""
    patch: int = 0
    """Pixels to whose multiples the producer rounds a map's sides; 0 where it does not."""
    files: tuple[Path, ...]
    """The file of each map, for messages."""
    read: Callable[[int], tuple[np.ndarray, np.ndarray | None]]
    """The i-th map as stored, with its mask where the file has one; callers use ``load``."""

    def __len__(self) -> int:
        return len(self.frame)

    def load(self, index: int) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """The ``index``-th map (of frame ``frame[index]``) at the video's size.

        A map of another size is resized by ``resize_map``.

        Returns:
            values: Disparity or depth as ``kind`` says; 0 where invalid. Shape (h, w).
            valid: Where there is a value. NaN, infinities, values <= 0 and masked pixels are not valid.
        Raises:
            ValueError: If the map is of another aspect ratio than the video, holds negative depth, is the same everywhere,
                or has no valid pixel; the message names file and frame.
        """
        values, mask = self.read(index)
        where = f"{self.files[index]}: frame {self.frame[index]}"
        _check_size(where, values.shape, self.width, self.height, self.patch)
        finite = np.isfinite(values)
        if mask is not None:
            finite &= mask
        if self.kind == "depth" and (values[finite] < 0).any():
            raise ValueError(
                f"{where}: negative depth ({values[finite].min():.3g}); depth grows away from the camera and 0 is unknown; "
                "if bigger means nearer give kind='disparity'"
            )
        valid = finite & (values > 0)
        known = values[valid]
        if not known.size:
            raise ValueError(f"{where}: no pixel has a value: all are NaN, infinite, masked or <= 0; write the maps again")
        if float(known.max() - known.min()) <= 1e-6 * float(known.max()):
            raise ValueError(f"{where}: a constant map ({known[0]:.4g} everywhere); the estimator failed on this frame")
        return resize_map(np.where(valid, values, 0).astype(np.float32), valid, width=self.width, height=self.height)


def resize_map(
    values: Float32[np.ndarray, "h w"], valid: Bool[np.ndarray, "h w"], *, width: int, height: int
) -> tuple[Float32[np.ndarray, "h2 w2"], Bool[np.ndarray, "h2 w2"]]:
    """Resize a map without interpolating across edges: linear on surfaces, nearest at edges and beside invalid pixels.

    Linear interpolation across an edge would give points between the two surfaces. A pixel counts as at an edge
    where its 3x3 neighbours in the source differ by more than ``EDGE`` of the least, or one of them is invalid.
    """
    if values.shape == (height, width):
        return values, valid
    import cv2

    size = (width, height)
    near = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT)
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(values, kernel), cv2.dilate(values, kernel)  # invalid is 0 here, so it makes low 0: an edge
    smooth = ((high - low) <= EDGE * low).astype(np.uint8)
    smooth = cv2.resize(smooth, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)
    linear = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    ok = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(bool)
    return np.where(smooth, linear, near).astype(np.float32), ok


def read_depth_maps(
    path: Path | str,
    *,
    width: int,
    height: int,
    frames: int | None = None,
    encoding: str = "plain",
    depth_scale: float = 1000.0,
    kind: str | None = None,
) -> DepthMaps:
    """Read depth maps of a video from one file or from a folder with one file a frame.

    Formats are recognised by content (``formats.FORMATS``). What a file does not state is assumed, and noted: bare floating
    numbers are disparity unless the name says ``raw_depth_meter``; 16-bit pictures are a depth camera's unless they use the
    whole range to both ends; 8-bit pictures are disparity stretched frame by frame. In a folder the frame number is the run
    of digits that differs between the names; in a file it is the field ``frame``, else maps count from frame 0.

    Args:
        path: File (npz, npy, torch, PNG, PGM, TIFF, PFM) or folder.
        width: Of the video, pixels.
        height: Of the video, pixels.
        frames: Length of the video, where known: numbers are checked against it.
        encoding: Of a depth camera's pictures, a key of ``rgbd.DECODERS``.
        depth_scale: Units a metre of plain 16-bit values: 1000, TUM 5000.
        kind: ``disparity``, ``depth`` or ``metric`` (depth in metres), instead of the assumptions above.
    Raises:
        ValueError: If nothing is there, a file is damaged, of no known format, of another aspect ratio than the video, or
            the maps cannot be matched to frames; or if none of five maps spread over the video can be read (for what
            ``DepthMaps.load`` refuses, see there).
    """
    path = Path(path)
    check_encoding(encoding, depth_scale)
    files, notes = files_of(path) if path.is_dir() else ([path], ())
    first = open_depth_file(files[0])
    name, fmt = recognise(first, encoding=encoding, depth_scale=depth_scale)
    fmt = as_kind(fmt, kind)
    n, h, w = count_maps(first, fmt)
    how = {"encoding": encoding, "depth_scale": depth_scale}
    if len(files) == 1:
        frame, note = frames_of_file(first, n, frames)
        K, files, read = read_K(first, fmt), files * n, partial(read_map, first, fmt, **how)
    else:
        frame, note = frames_of_names(path, files, frames)
        order = np.argsort(frame)
        frame, files = frame[order], [files[i] for i in order]
        K, read = _sampled_K(files, fmt), partial(_read_one, files, name, fmt, how)
    _check_size(f"{first.path}", (h, w), width, height, fmt.patch)
    maps = DepthMaps(
        path=path, source=name, frame=frame, kind=fmt.kind, metric=fmt.metric, width=width, height=height,
        K=None if K is None else np.diag([width / w, height / h, 1.0]) @ np.median(K, axis=0),
        per_frame_affine=fmt.per_frame_affine,
        notes=tuple(text for text in (fmt.note, note, *notes, _size_note((h, w), (height, width))) if text), patch=fmt.patch,
        files=tuple(files), read=read,
    )  # fmt: skip
    _check_metres(maps)
    return maps


def _read_one(
    files: Sequence[Path], name: str, fmt: DepthFormat, how: dict[str, Any], index: int
) -> tuple[np.ndarray, np.ndarray | None]:
    file = open_depth_file(files[index])
    found, _ = recognise(file, **how)
    if found != name and {found, name} != {"depth-camera", "stretched-disparity"}:
        raise ValueError(f"{file.path}: holds {found} but {files[0]} holds {name}; put one producer's files in a folder")
    n, _, _ = count_maps(file, fmt)
    if n != 1:
        raise ValueError(f"{file.path}: holds {n} maps; a folder of several files takes one map a file")
    return read_map(file, fmt, 0, **how)


def _check_size(where: str, shape: tuple[int, ...], width: int, height: int, patch: int) -> None:
    h, w = shape
    if abs((w / h) / (width / height) - 1) <= ASPECT_TOLERANCE:
        return
    if patch and not h % patch and not w % patch:  # each side is rounded by itself: one scale must explain both
        slack = patch / 2 + 1
        if max((w - slack) / width, (h - slack) / height) <= min((w + slack) / width, (h + slack) / height):
            return
    hint = ""
    if h == height and w > 2 * width:
        hint = "; it is wider than two pictures: is the video beside it? Run Depth Anything with --pred-only"
    elif abs((h / w) / (width / height) - 1) <= ASPECT_TOLERANCE:
        hint = "; it seems to be turned by 90 degrees"
    raise ValueError(
        f"{where}: the map is {w}x{h} but the video is {width}x{height}: another aspect ratio, so not the same picture{hint}"
    )


def _size_note(shape: tuple[int, int], video: tuple[int, int]) -> str:
    if shape == video:
        return ""
    return f"maps of {shape[1]}x{shape[0]} resized to {video[1]}x{video[0]}: linear on surfaces, nearest at edges"


def _sampled_K(files: Sequence[Path], fmt: DepthFormat) -> np.ndarray | None:
    """Intrinsics of at most 16 of the files, in pixels of the maps (m, 3, 3)."""
    some = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, 16).astype(int))]
    found = [K for p in some if (K := read_K(open_depth_file(p), fmt)) is not None]
    return np.concatenate(found) if found else None


def _check_metres(maps: DepthMaps) -> None:
    """Refuse metres that cannot be a room's; one bad map among good ones is left for ``load`` to name."""
    failed = None
    for index in np.unique(np.linspace(0, len(maps) - 1, 5).astype(int)):
        try:
            values, valid = maps.load(int(index))
            break
        except ValueError as error:
            failed = failed or error
    else:
        raise failed or ValueError(f"{maps.path}: no maps")
    middle = float(np.median(values[valid]))
    if maps.metric and not 0.05 < middle < 200:
        raise ValueError(
            f"{maps.files[index]}: the median depth would be {middle:.3g} m; if the file holds millimetres divide by 1000, and "
            "if its scale is unknown give kind='depth' (kind='disparity' if bigger is nearer)"
        )
