"""Formats of depth maps: one row of ``FORMATS`` a producer; the first that matches a file is taken.

What was confirmed in the producers' own code or documentation (read 2026-11): Depth Anything V2 ``run.py``,
``metric_depth/run.py`` and ``app.py`` (disparity for the relative models; pictures stretched to 0..255 frame by frame; metres
in ``*_raw_depth_meter.npy``; the demo's 16-bit picture is unstretched disparity); Video Depth Anything ``run.py`` (``depths``);
Depth Anything 3 ``mini_npz``/``npz`` (``depth, conf, extrinsics, intrinsics``, w2c; both sides rounded to multiples of 14; only
the nested models give metres, the metric one needs focal/300); MoGe v1/v2 ``infer`` (intrinsics in units of the picture, depth
infinite where the mask is off; v1 unknown scale, v2 metres, of the two only v2 can hold ``normal``); UniDepth V2 ``infer``
(``depth`` (b,1,h,w), ``points`` (b,3,h,w), intrinsics in pixels, metres); VGGT ``demo_gradio.py`` (``depth`` (s,h,w,1),
``depth_conf``, ``extrinsic``, ``intrinsic``, ``pose_enc``). The spelling ``exts``/``ixts`` of Depth Anything 3 is unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .files import ONLY, DepthFile
from .rgbd import decode_depth, read_depth

KINDS = ("disparity", "depth", "metric")
"""Meanings a caller may give: disparity (bigger is nearer), depth of unknown scale, depth in metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFormat:
    """Meaning of one producer's numbers and their keys in the file."""

    kind: str
    """``disparity`` or ``depth``."""
    metric: bool
    matches: Callable[[DepthFile], bool]
    array: str = ONLY
    """Key of the maps."""
    mask: str = ""
    """Key of a map that is true where the values are valid."""
    intrinsics: tuple[str, ...] = ()
    """Keys under which K may be stored."""
    normalised_K: bool = False
    """K in units of the picture's width and height."""
    per_frame_affine: bool = False
    """Every frame was stretched on its own, so scale and offset differ from frame to frame."""
    patch: int = 0
    """The network rounds each side to multiples of this, so the aspect ratio may be off by half of it."""
    note: str = ""
    """The assumption made, as text."""


def _has(file: DepthFile, *keys: str) -> bool:
    return any(key in file.shapes for key in keys)


def _bare(file: DepthFile) -> bool:
    """One array without a name, of floating numbers."""
    return set(file.shapes) == {ONLY} and file.read(ONLY).dtype.kind == "f"


def _picture(file: DepthFile, dtype: type) -> bool:
    return set(file.shapes) == {ONLY} and file.container in ("picture", "npy") and file.read(ONLY).dtype == dtype


def _normalised(file: DepthFile) -> bool:
    return _has(file, "depth") and "intrinsics" in file.shapes and bool(np.all(file.read("intrinsics")[..., 0, 2] < 2))


FORMATS: dict[str, DepthFormat] = {
    "video-depth-anything": DepthFormat(
        kind="disparity", metric=False, array="depths", matches=lambda f: _has(f, "depths"),
        note="taken as disparity of Video Depth Anything's relative model; kind='metric' if its metric model made the file",
    ),
    "vggt": DepthFormat(
        kind="depth", metric=False, array="depth", intrinsics=("intrinsic", "intrinsics"), patch=14,
        matches=lambda f: _has(f, "depth") and _has(f, "depth_conf", "pose_enc", "world_points"),
    ),
    "moge-2": DepthFormat(
        kind="depth", metric=True, array="depth", mask="mask", intrinsics=("intrinsics",), normalised_K=True,
        matches=lambda f: _normalised(f) and _has(f, "normal"),
    ),
    "moge": DepthFormat(
        kind="depth", metric=False, array="depth", mask="mask", intrinsics=("intrinsics",), normalised_K=True,
        matches=_normalised, note="taken as MoGe v1, whose scale is unknown; kind='metric' if MoGe 2 made the file",
    ),
    "unidepth": DepthFormat(
        kind="depth", metric=True, array="depth", mask="mask", intrinsics=("intrinsics",),
        matches=lambda f: _has(f, "depth") and "intrinsics" in f.shapes and _has(f, "points", "rays", "radius", "confidence"),
    ),
    "depth-anything-3": DepthFormat(
        kind="depth", metric=False, array="depth", intrinsics=("intrinsics", "ixts"), patch=14,
        matches=lambda f: _has(f, "depth") and _has(f, "conf", "extrinsics", "exts", "intrinsics", "ixts"),
        note="Depth Anything 3 does not store which model ran: scale taken as unknown; kind='metric' for a nested model "
        "(DA3METRIC's numbers are metres only after multiplying them by focal / 300)",
    ),
    "disparity": DepthFormat(kind="disparity", metric=False, array="disparity", matches=lambda f: _has(f, "disparity")),
    "metric-depth": DepthFormat(
        kind="depth", metric=True, array="depth", mask="mask", matches=lambda f: _has(f, "depth"),
        note="an array 'depth' with nothing beside it is taken as metres; kind='depth' if its scale is unknown",
    ),
    "depth-anything-v2-metric": DepthFormat(
        kind="depth", metric=True, matches=lambda f: _bare(f) and "raw_depth_meter" in f.path.stem,
    ),
    "depth-anything-v2": DepthFormat(
        kind="disparity", metric=False, matches=_bare,
        note="bare numbers are taken as Depth Anything V2's relative disparity; kind='metric' if they are metres",
    ),
    "depth-camera": DepthFormat(kind="depth", metric=True, matches=lambda f: _picture(f, np.uint16)),
    "depth-anything-v2-picture": DepthFormat(
        kind="disparity", metric=False, per_frame_affine=True, matches=lambda f: _picture(f, np.uint8),
        note="8-bit pictures are disparity stretched to 0..255 frame by frame: scale and offset vary from frame to frame, "
        "in 256 steps; save the network's own numbers (.npy) where you can",
    ),
}  # fmt: skip
"""Formats by name, in the order they are tried."""

STRETCHED = replace(
    FORMATS["depth-anything-v2-picture"],
    note="16-bit pictures that use 0..65535 to both ends are taken as disparity stretched frame by frame, not as a camera's",
)
"""A 16-bit picture that no depth camera wrote."""


def recognise(file: DepthFile, *, encoding: str, depth_scale: float) -> tuple[str, DepthFormat]:
    """Name and meaning of what a file holds.

    Raises:
        ValueError: If no format fits; the message lists the file's arrays.
    """
    for name, fmt in FORMATS.items():
        if fmt.matches(file):
            if name == "depth-camera" and encoding == "plain" and depth_scale == 1000.0 and _reaches_both_ends(file.read(ONLY)):
                return "stretched-disparity", STRETCHED
            return name, fmt
    found = dict(file.shapes) or "no arrays of numbers"
    raise ValueError(
        f"{file.path}: no known depth format; expected one of {', '.join(FORMATS)} (an array named depth, depths or disparity, "
        f"bare floating numbers, or an 8- or 16-bit grey picture), found {found}"
    )


def _reaches_both_ends(raw: np.ndarray) -> bool:
    return raw.ndim == 2 and int(raw.min()) == 0 and int(raw.max()) == np.iinfo(np.uint16).max


def as_kind(fmt: DepthFormat, kind: str | None) -> DepthFormat:
    """The format with the meaning the caller gives.

    Raises:
        ValueError: If ``kind`` is none of ``KINDS``.
    """
    if kind is None:
        return fmt
    if kind not in KINDS:
        raise ValueError(f"unknown kind of depth {kind!r}; choose one of {', '.join(KINDS)}")
    note = f"kind {kind!r} given by hand" + (f"; {fmt.note}" if fmt.per_frame_affine else "")
    return replace(fmt, kind="disparity" if kind == "disparity" else "depth", metric=kind == "metric", note=note)


def count_maps(file: DepthFile, fmt: DepthFormat) -> tuple[int, int, int]:
    """(n, h, w) of a file's maps, axes of length one dropped.

    Raises:
        ValueError: If the array is neither one map nor a stack of maps.
    """
    shape = file.shapes[fmt.array]
    if file.container == "picture":
        return 1, shape[0], shape[1]
    kept = list(shape)
    if len(kept) >= 3 and kept[-1] == 1:  # (..., h, w, 1)
        kept = kept[:-1]
    while len(kept) > 3 and 1 in kept[:2]:  # (1, s, h, w) and (n, 1, h, w)
        kept.remove(1)
    if len(kept) == 2:
        kept = [1, *kept]
    if len(kept) != 3 or 0 in kept:
        name = fmt.array or "its array"
        raise ValueError(f"{file.path}: field {name}: expected maps (h, w) or (n, h, w), found shape {shape}")
    return kept[0], kept[1], kept[2]


def read_map(
    file: DepthFile, fmt: DepthFormat, index: int, *, encoding: str, depth_scale: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """One map as stored, (h, w) floating, and its mask where the file has one."""
    n, h, w = count_maps(file, fmt)
    if file.container == "picture":
        return _read_picture(file, fmt, encoding, depth_scale), None
    values = np.array(np.reshape(file.read(fmt.array), (n, h, w))[index])
    if values.dtype == np.uint16 and fmt.metric:
        values = decode_depth(values, encoding, depth_scale)
    if not fmt.mask or fmt.mask not in file.shapes:
        return values.astype(np.float32), None
    mask = file.read(fmt.mask)
    if mask.size != n * h * w:
        raise ValueError(f"{file.path}: field {fmt.mask}: expected {n}x{h}x{w} as field {fmt.array}, found shape {mask.shape}")
    return values.astype(np.float32), np.array(np.reshape(mask, (n, h, w))[index]) > 0.5


def _read_picture(file: DepthFile, fmt: DepthFormat, encoding: str, depth_scale: float) -> np.ndarray:
    raw = file.read(ONLY)
    if raw.ndim == 3 and (raw[..., :3] != raw[..., :1]).any():
        raise ValueError(
            f"{file.path}: a coloured picture: its colours cannot be turned back into depth; save the numbers (.npy), or run "
            "Depth Anything with --grayscale --pred-only"
        )
    raw = raw if raw.ndim == 2 else raw[..., 0]
    if raw.dtype == np.uint16 and fmt.metric:
        return read_depth(file.path, encoding=encoding, scale=depth_scale)
    return raw.astype(np.float32)


def read_K(file: DepthFile, fmt: DepthFormat) -> np.ndarray | None:
    """Intrinsics of a file's maps in pixels of the maps, (n, 3, 3) or (1, 3, 3); None where it has none.

    Raises:
        ValueError: If they are no 3x3 matrices of a camera.
    """
    key = next((key for key in fmt.intrinsics if key in file.shapes), None)
    if key is None:
        return None
    K = np.asarray(file.read(key), float)
    if K.shape[-2:] != (3, 3):
        raise ValueError(f"{file.path}: field {key}: expected 3x3 intrinsics, found shape {K.shape}")
    K = K.reshape(-1, 3, 3)
    if not np.isfinite(K).all() or (K[:, [0, 1], [0, 1]] <= 0).any():
        raise ValueError(f"{file.path}: field {key}: no camera: focal lengths must be positive, found {K[0].tolist()}")
    if fmt.normalised_K:
        _, h, w = count_maps(file, fmt)
        K = np.diag([w, h, 1.0]) @ K
    return K
