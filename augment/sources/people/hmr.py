"""Bodies in video from any supported estimator; the file's content decides which reader is used.

A new estimator is one recogniser, one reader and one line in ``HMR_READERS``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...safe_pickle import load_npy, load_npz, load_pickle, load_torch
from .hmr_crop import is_pare_images, is_prohmr, is_vibe, read_pare_images, read_prohmr, read_vibe
from .hmr_phalp import is_phalp, read_phalp
from .hmr_rows import Picture
from .hmr_tracked import (
    is_gvhmr,
    is_prompthmr,
    is_tram,
    is_wham,
    read_gvhmr,
    read_prompthmr,
    read_tram,
    read_wham,
)  # fmt: skip
from .people import People

HMR_READERS: dict[str, tuple[Callable[[Any], bool], Callable[[Path, Any, Picture], People]]] = {
    "4D-Humans (PHALP)": (is_phalp, read_phalp),
    "WHAM": (is_wham, read_wham),
    "GVHMR": (is_gvhmr, read_gvhmr),
    "TRAM": (is_tram, read_tram),
    "PromptHMR": (is_prompthmr, read_prompthmr),
    "VIBE or PARE": (is_vibe, read_vibe),
    "PARE (images)": (is_pare_images, read_pare_images),
    "ProHMR": (is_prohmr, read_prohmr),
}
"""Name of a format to its recogniser (of the loaded content) and its reader. The first that recognises a content reads it."""

_TORCH_LEGACY = 0x1950A86A20F9469CFC6C
"""First object in a file that torch.save wrote before it wrote zip archives."""


def read_hmr(path: Path, *, width: int, height: int, focal: float | None = None) -> People:
    """Bodies of 4D-Humans/PHALP, WHAM, GVHMR, TRAM, PromptHMR, VIBE, PARE or ProHMR, in the camera frame of the whole picture.

    Args:
        path: The producer's file, or a folder of them (TRAM's tracks; PARE's or ProHMR's images).
        width: Of the video the bodies were found in, pixels.
        height: Pixels.
        focal: Focal length, pixels, for which ``transl`` is to hold. Each body's z is scaled by it over the producer's own
            (twice the focal length, twice as far), which keeps the pelvis's pixel and the person's size in the picture. None
            keeps the producer's. Either way ``People.K`` is the lens ``transl`` holds for.
    Raises:
        ValueError: If the file is absent, damaged, would run code, or has an unknown content; the message names file and field,
            or the keys found and the formats known.
    """
    path = Path(path)
    if width <= 0 or height <= 0 or (focal is not None and focal <= 0):
        raise ValueError(f"{path}: width, height and focal must be positive; found {width}, {height}, {focal}")
    picture = Picture(width=width, height=height, focal=focal)
    content = _load(path)
    for name, (recognises, read) in HMR_READERS.items():
        if not recognises(content):
            continue
        try:
            return read(path, content, picture)
        except (TypeError, AttributeError, LookupError) as error:
            raise ValueError(
                f"{path}: {name}: the file does not have this format's structure ({type(error).__name__}: {error})"
            ) from error
    raise ValueError(f"{path}: {_describe(content)}; no reader knows that. Known formats: {', '.join(HMR_READERS)}")


def _load(path: Path) -> Any:
    """The content; files of one image or one track each as {file name: content}."""
    if path.is_dir():
        folder = path / "hps" if (path / "hps").is_dir() else path
        for suffix in (".npy", ".npz", ".pkl"):
            files = sorted(file for file in folder.glob(f"*{suffix}") if file.stem != "camera")
            if files:
                return {file.stem: _load_file(file) for file in files}
        raise ValueError(f"{path}: no .npy, .npz or .pkl in this folder; name the estimator's file or its folder of them")
    if not path.is_file():
        raise ValueError(f"{path}: no such file or folder")
    content = _load_file(path)
    alone = isinstance(content, dict) and any(key in content for key in ("pred_rotmat", "pred_pose", "pred_cam"))
    return {path.stem: content} if alone else content


def _load_file(path: Path) -> Any:
    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"\x93NUMPY"):
        return load_npy(path)
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                is_torch = any(name.endswith("/data.pkl") for name in archive.namelist())
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path}: not a readable archive ({error}); copy the file again") from error
        return load_torch(path) if is_torch else load_npz(path)
    content = load_pickle(path)
    return load_torch(path) if isinstance(content, int) and content == _TORCH_LEGACY else content


def _describe(content: Any) -> str:
    if not isinstance(content, dict):
        return f"holds a {type(content).__name__}, not a dictionary"
    if not content:
        return "holds an empty dictionary: nobody was found"
    text = f"found the keys {', '.join(str(key) for key in list(content)[:12])}"
    first = next(iter(content.values()))
    if isinstance(first, dict):
        text += f", the first holding {', '.join(str(key) for key in list(first)[:20]) or 'nothing'}"
    return text
