"""Files of depth maps, opened lazily: npz, npy, torch and pictures, recognised by content."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...files import DAMAGED_NPZ, npy_header

ONLY = ""
"""Key of the one array of a file that names none (npy, a bare tensor, a picture)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFile:
    """The arrays of one file by name: shapes at once, values when read."""

    path: Path
    container: str
    """A key of ``CONTAINERS``."""
    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]
    """One array, memory-mapped where possible."""


def open_depth_file(path: Path) -> DepthFile:
    """Open a file; its content decides its kind.

    Raises:
        ValueError: If the file is absent, empty, damaged, or none of the known kinds.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file of depth maps")
    with open(path, "rb") as file:
        start = file.read(8)
    if not start:
        raise ValueError(f"{path}: the file is empty; write the depth maps again")
    if start.startswith(b"\x93NUMPY"):
        return CONTAINERS["npy"](path)
    if start.startswith(b"PK"):
        return CONTAINERS["npz" if _has_arrays(path) else "torch"](path)
    if start.startswith(b"\x76\x2f\x31\x01"):
        raise ValueError(f"{path}: OpenEXR is not read; save .npy, or .npz with arrays depth and mask")
    if start.startswith(b"\x80"):
        return CONTAINERS["torch"](path)
    return CONTAINERS["picture"](path)


def _has_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: a damaged archive ({error}); write it again") from error


def _open_npz(path: Path) -> DepthFile:
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    shape, _, dtype = npy_header(member)
                if not dtype.hasobject:
                    shapes[name.removesuffix(".npy")] = shape
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path}: not a readable .npz of depth maps ({error}); write it with numpy.savez") from error
    return DepthFile(path=path, container="npz", shapes=shapes, read=cache(lambda key: _map_member(path, key)))


def _map_member(path: Path, key: str) -> np.ndarray:
    """One member of an npz, unpacked to an unlinked temporary file and memory-mapped."""
    handle, name = tempfile.mkstemp(suffix=".npy")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member, os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(member, out, 1 << 20)
        return np.load(name, mmap_mode="r", allow_pickle=False)
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path}: field {key}: damaged ({error}); write the file again") from error
    finally:
        os.unlink(name)


def _open_npy(path: Path) -> DepthFile:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: not a readable .npy of numbers ({error}); write it with numpy.save") from error
    return DepthFile(path=path, container="npy", shapes={ONLY: array.shape}, read=lambda _: array)


def _open_torch(path: Path) -> DepthFile:
    import torch

    try:
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch raises many types here
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: not a torch file of plain tensors ({first}); save the depth with numpy.savez") from error
    tensors = {ONLY: data} if isinstance(data, torch.Tensor) else data
    if not isinstance(tensors, dict):
        raise ValueError(f"{path}: expected a tensor or a dict of tensors, found a {type(data).__name__}")
    arrays = {str(key): value for key, value in tensors.items() if isinstance(value, torch.Tensor | np.ndarray)}

    def read(key: str) -> np.ndarray:
        value = arrays[key]
        if isinstance(value, np.ndarray):
            return value
        value = value.detach()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()

    return DepthFile(path=path, container="torch", shapes={k: tuple(v.shape) for k, v in arrays.items()}, read=read)


def _open_picture(path: Path) -> DepthFile:
    import cv2

    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(
            f"{path}: none of npz, npy, torch, PNG, PGM, TIFF or PFM by its content; save the depth maps as one of them"
        )
    return DepthFile(path=path, container="picture", shapes={ONLY: picture.shape}, read=lambda _: picture)


CONTAINERS: dict[str, Callable[[Path], DepthFile]] = {
    "npz": _open_npz, "npy": _open_npy, "torch": _open_torch, "picture": _open_picture,
}  # fmt: skip
"""How each container is opened."""
