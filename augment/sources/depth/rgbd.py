"""Depth cameras' files: a colour picture, a 16-bit depth picture in one of four encodings, and pinhole intrinsics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

from ...files import load_json

Raw = UInt16[np.ndarray, "h w"]


def millimetres_to_metres(raw: Raw, scale: float = 1000.0) -> Float32[np.ndarray, "h w"]:
    """Plain depth at ``scale`` units a metre (PrimeSense and Redwood 1000, TUM 5000); 0 stays 0 = unknown."""
    return (raw.astype(np.float64) / scale).astype(np.float32)


def nyu_to_metres(raw: Raw) -> Float32[np.ndarray, "h w"]:
    """NYU's raw Kinect depth: bytes swapped, 11-bit disparity; 0 where there was no return.

    Source:
        Open3D, ``geometry/RGBDImageFactory`` (NYU): metres = 351.3 / (1092.5 - disparity), cut at 7 m.
    """
    disparity = raw.byteswap().astype(np.float64)
    valid = disparity < 1092
    depth = np.where(valid, 351.3 / np.where(valid, 1092.5 - disparity, 1.0), 0.0)
    return np.where(depth <= 7.0, depth, 0.0).astype(np.float32)


def sun_to_metres(raw: Raw) -> Float32[np.ndarray, "h w"]:
    """SUN3D and SUN RGB-D depth: millimetres rotated left by three bits; cut at 7 m, where Open3D cuts it too.

    Source:
        PrincetonVision/SUN3Dsfm, ``depthRead.m``.
    """
    depth = ((raw >> 3) | (raw << 13)).astype(np.float64) / 1000
    return np.where(depth <= 7.0, depth, 0.0).astype(np.float32)


DECODERS = {"plain": millimetres_to_metres, "nyu": nyu_to_metres, "sun": sun_to_metres}
"""Depth encodings by name; ``plain`` takes a scale."""


def check_encoding(encoding: str, scale: float) -> None:
    """ValueError if there is no such encoding, or the scale (units a metre) is not positive."""
    if encoding not in DECODERS:
        raise ValueError(f"unknown depth encoding {encoding!r}; choose one of {sorted(DECODERS)}")
    if not scale > 0:
        raise ValueError(f"depth scale must be positive units a metre; got {scale}")


def decode_depth(raw: Raw, encoding: str, scale: float) -> Float32[np.ndarray, "h w"]:
    """Metres of an encoding in ``DECODERS``; ``scale``, units a metre, counts for ``plain`` alone."""
    return millimetres_to_metres(raw, scale) if encoding == "plain" else DECODERS[encoding](raw)


def read_depth(path: Path | str, *, encoding: str = "plain", scale: float = 1000.0) -> Float32[np.ndarray, "h w"]:
    """Read a 16-bit depth picture (PNG, PGM, TIFF) as z-depth in metres, 0 = unknown.

    Raises:
        ValueError: If the file is absent or no picture, is not one 16-bit channel, the encoding is unknown, or what it
            decodes to cannot be a room (wrong scale or encoding).
    """
    check_encoding(encoding, scale)
    raw = _read_picture(path)
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise ValueError(
            f"{path}: expected one 16-bit channel, found {raw.dtype} {raw.shape}; is it a colour or an 8-bit preview picture?"
        )
    depth = decode_depth(raw, encoding, scale)
    known = depth[depth > 0]
    if known.size < 0.01 * depth.size:
        raise ValueError(f"{path}: only {known.size} of {depth.size} pixels have a depth; the frame is empty or mis-decoded")
    middle = float(np.median(known))
    if not 0.2 < middle < 20:
        raise ValueError(
            f"{path}: the median depth would be {middle:.3g} m with encoding {encoding!r} and scale {scale:g}; "
            "give the right --depth-scale (units a metre: 1000, TUM 5000) or --depth-encoding"
        )
    return depth


def read_color(path: Path | str) -> UInt8[np.ndarray, "h w 3"]:
    """Read a picture as RGB.

    Raises:
        ValueError: If the file is absent or no 8-bit picture.
    """
    picture = _read_picture(path)
    if picture.dtype != np.uint8:
        raise ValueError(f"{path}: expected an 8-bit colour picture, found {picture.dtype}; are COLOR and DEPTH swapped?")
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return np.ascontiguousarray(picture[..., 2::-1])


def read_intrinsics(path: Path | str) -> tuple[Float[np.ndarray, "3 3"], int, int]:
    """Read intrinsics from Open3D's JSON (``intrinsic_matrix`` column by column, ``width``, ``height``).

    A nested 3x3 ``intrinsic_matrix`` and plain ``fx, fy, cx, cy`` are taken too. The principal points of these files
    count pixel centres from 0; ours from 0.5, so half a pixel is added.

    Returns:
        K in pixels, width, height.
    Raises:
        ValueError: If the file is absent, no JSON, lacks a field or describes no camera.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such intrinsics file")
    data = load_json(path)
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected an object with width, height and intrinsic_matrix, found a {type(data).__name__}")
    try:
        fx, fy, cx, cy = _focal_and_center(data)
        width, height = int(data["width"]), int(data["height"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: needs width, height and intrinsic_matrix (or fx, fy, cx, cy); problem: {error}") from error
    if not (fx > 0 and fy > 0 and 0 < cx < width and 0 < cy < height):
        raise ValueError(f"{path}: no camera: fx {fx}, fy {fy}, centre ({cx}, {cy}) in {width}x{height}")
    return np.array([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]]), width, height


def _focal_and_center(data: dict[str, Any]) -> tuple[float, float, float, float]:
    if "intrinsic_matrix" not in data:
        return float(data["fx"]), float(data["fy"]), float(data["cx"]), float(data["cy"])
    matrix = np.asarray(data["intrinsic_matrix"], float)
    if matrix.size != 9:
        raise ValueError(f"intrinsic_matrix has {matrix.size} numbers, not 9")
    K = matrix if matrix.ndim == 2 else matrix.reshape(3, 3).T
    if abs(K[2, 0]) > 1e-9:
        K = K.T
    return K[0, 0], K[1, 1], K[0, 2], K[1, 2]


def _read_picture(path: Path | str) -> np.ndarray:
    import cv2

    if not Path(path).is_file():
        raise ValueError(f"{path}: no such picture")
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if Path(path).stat().st_size else None
    if picture is None:
        raise ValueError(f"{path}: not a readable picture (PNG, JPEG, PPM, PGM); the file may be cut off")
    return picture
