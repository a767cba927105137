"""Cameras that other programs solved from pictures: COLMAP's sparse models and nerfstudio's ``transforms.json``."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ..files import load_json
from ..geometry import invert_transform, rigid
from ..types import Camera

MODELS: dict[str, tuple[int, int, int]] = {
    "SIMPLE_PINHOLE": (0, 1, 0), "PINHOLE": (1, 2, 0), "SIMPLE_RADIAL": (2, 1, 1), "RADIAL": (3, 1, 2), "OPENCV": (4, 2, 4),
}  # fmt: skip
"""COLMAP's camera models that are read: their number in binary files, numbers of focal lengths and distortion terms.

Parameters are in the order focal length(s), principal point, distortion."""

MAX_SHIFT = 0.5
"""Largest shift of a picture's corner by distortion for a lens to count as a pinhole, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedCamera:
    """One picture's camera in the solver's own world."""

    name: str
    """File name of the picture, as the solver has it."""
    camera: Camera
    """``T_world_camera`` takes to the solver's world, with any origin, axes and unit: pictures alone do not give the scale."""


def read_cameras(path: Path) -> tuple[SolvedCamera, ...]:
    """Cameras of a COLMAP model (a folder with ``cameras`` and ``images``, ``.bin`` or ``.txt``) or a nerfstudio file.

    Args:
        path: COLMAP's folder (also one that holds it as ``sparse/0``), or ``transforms.json`` (also its folder).
    Returns:
        In the order of their names; the world's unit is unknown.
    Raises:
        ValueError: If there is no such model, it is damaged, its lens model is unknown, or a lens distorts by more than
            ``MAX_SHIFT`` pixels at a corner (undistort the pictures first); the message names the file and what is wrong.
    Source:
        COLMAP documentation, "Output Format" and "Camera Models"; nerfstudio documentation, "Data conventions".
    """
    path = Path(path)
    if path.suffix == ".json" or (path / "transforms.json").is_file():
        return _read_nerfstudio(path if path.suffix == ".json" else path / "transforms.json")
    for folder in (path, path / "sparse" / "0", path / "sparse"):
        for suffix, read_lenses, read_images in ((".bin", _lenses_bin, _images_bin), (".txt", _lenses_txt, _images_txt)):
            files = folder / f"cameras{suffix}", folder / f"images{suffix}"
            if all(file.is_file() for file in files):
                return _join(files, read_lenses(files[0]), read_images(files[1]))
    raise ValueError(
        f"{path}: no solved cameras; expected COLMAP's cameras and images (.bin or .txt), or nerfstudio's transforms.json"
    )


def _sorted(path: Path, cameras: list[SolvedCamera]) -> tuple[SolvedCamera, ...]:
    if not cameras:
        raise ValueError(f"{path}: no picture in it has a camera; run the solver again")
    return tuple(sorted(cameras, key=lambda solved: solved.name))


def _lens(
    path: Path, label: str, model: str, width: int, height: int, parameters: list[float]
) -> Float[np.ndarray, "3 3"]:  # fmt: skip
    """K of a lens; ValueError if it is not a pinhole."""
    if model not in MODELS:
        raise ValueError(
            f"{path}: {label}: lens model {model} is not read, only {', '.join(MODELS)}; undistort the pictures first "
            "(colmap image_undistorter)"
        )
    _, focals, terms = MODELS[model]
    if len(parameters) != focals + 2 + terms or not np.isfinite(parameters).all() or width <= 0 or height <= 0:
        raise ValueError(
            f"{path}: {label}: {model} of {width}x{height} expects {focals + 2 + terms} finite parameters, found {parameters}"
        )
    fx, fy = parameters[0], parameters[focals - 1]
    if fx <= 0 or fy <= 0:
        raise ValueError(f"{path}: {label}: focal length {fx}, {fy} must be positive")
    K = np.array([[fx, 0.0, parameters[focals]], [0.0, fy, parameters[focals + 1]], [0.0, 0.0, 1.0]])
    k1, k2, p1, p2 = (parameters[focals + 2 :] + [0.0] * 4)[:4]
    _refuse_distortion(path, label, K, (width, height), (k1, k2, p1, p2, 0.0))
    return K


def _refuse_distortion(
    path: Path, label: str, K: np.ndarray, size: tuple[int, int], terms: tuple[float, float, float, float, float]
) -> None:
    """ValueError where radial (k1, k2, k3) and tangential (p1, p2) terms move a corner by more than ``MAX_SHIFT``."""
    k1, k2, p1, p2, k3 = terms
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], list(size)], float)
    x, y = ((corners - K[:2, 2]) / [K[0, 0], K[1, 1]]).T
    r = x**2 + y**2
    radial = k1 * r + k2 * r**2 + k3 * r**3
    du = (x * radial + 2 * p1 * x * y + p2 * (r + 2 * x**2)) * K[0, 0]
    dv = (y * radial + p1 * (r + 2 * y**2) + 2 * p2 * x * y) * K[1, 1]
    shift = float(np.hypot(du, dv).max())
    if not shift <= MAX_SHIFT:
        raise ValueError(
            f"{path}: {label}: the lens distorts corners by {shift:.1f} px (at most {MAX_SHIFT} counts as a pinhole); "
            "undistort the pictures first (colmap image_undistorter, or cv2.undistort) and name the new model"
        )


# --- COLMAP

Lenses = dict[int, tuple[Float[np.ndarray, "3 3"], int, int]]
"""K, width and height by camera id."""
Images = list[tuple[str, int, Float[np.ndarray, "4 4"]]]
"""Name, camera id and T_camera_world."""


def _join(files: tuple[Path, Path], lenses: Lenses, images: Images) -> tuple[SolvedCamera, ...]:
    solved = []
    for name, camera_id, T_camera_world in images:
        if camera_id not in lenses:
            raise ValueError(f"{files[1]}: picture {name} has camera {camera_id}, which is not in {files[0].name}")
        K, width, height = lenses[camera_id]
        camera = Camera(K=K, T_world_camera=invert_transform(T_camera_world), width=width, height=height)
        solved.append(SolvedCamera(name=name, camera=camera))
    return _sorted(files[1], solved)


def _pose(path: Path, name: str, numbers: list[float]) -> Float[np.ndarray, "4 4"]:
    """T_camera_world of COLMAP's quaternion (w, x, y, z) and translation."""
    import roma

    quaternion = np.array(numbers[:4])
    if not np.isfinite(numbers).all() or abs(np.linalg.norm(quaternion) - 1) > 0.01:
        raise ValueError(f"{path}: picture {name}: expected a unit quaternion and a translation, found {numbers}")
    xyzw = torch.as_tensor(quaternion[[1, 2, 3, 0]] / np.linalg.norm(quaternion))
    return rigid(roma.unitquat_to_rotmat(xyzw).numpy(), np.array(numbers[4:]))


def _text_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file ({error})") from error
    return [line.strip() for line in lines if not line.startswith("#")]


def _lenses_txt(path: Path) -> Lenses:
    lenses: Lenses = {}
    for line in filter(None, _text_lines(path)):
        try:
            number, model, width, height, *rest = line.split()
            size, parameters = (int(width), int(height)), [float(value) for value in rest]
            key = int(number)
        except ValueError as error:
            raise ValueError(f"{path}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS..., found {line!r}") from error
        lenses[key] = (_lens(path, f"camera {key}", model, *size, parameters), *size)
    return lenses


def _images_txt(path: Path) -> Images:
    """Two lines a picture: its pose and name, then its points, which may be none (an empty line)."""
    lines = _text_lines(path)
    while lines and not lines[0]:
        lines.pop(0)
    images: Images = []
    for line in filter(None, lines[::2]):
        fields = line.split(maxsplit=9)
        try:
            pose, camera_id, name = [float(value) for value in fields[1:8]], int(fields[8]), fields[9]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, found {line!r}") from error
        images.append((name, camera_id, _pose(path, name, pose)))
    return images


class _Bytes:
    """Little-endian numbers out of a binary file, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def take(self, layout: str) -> tuple[Any, ...]:
        try:
            values = struct.unpack_from(f"<{layout}", self.data, self.at)
        except struct.error as error:
            raise ValueError(f"{self.path}: cut short, or not COLMAP's ({error}); copy the file again") from error
        self.at += struct.calcsize(f"<{layout}")
        return values

    def word(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ValueError(f"{self.path}: cut short within a picture's name; copy the file again")
        word, self.at = self.data[self.at : end].decode("utf-8", "replace"), end + 1
        return word

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise ValueError(f"{self.path}: cut short; copy the file again")


def _lenses_bin(path: Path) -> Lenses:
    file, lenses = _Bytes(path), {}
    names = {number: name for name, (number, _, _) in MODELS.items()}
    for _ in range(file.take("Q")[0]):
        key, model, width, height = file.take("iiQQ")
        name = names.get(model, f"number {model}")
        count = sum(MODELS[name][1:]) + 2 if name in MODELS else 0
        parameters = list(file.take(f"{count}d"))
        lenses[key] = (_lens(path, f"camera {key}", name, width, height, parameters), width, height)
    return lenses


def _images_bin(path: Path) -> Images:
    file, images = _Bytes(path), []
    for _ in range(file.take("Q")[0]):
        _, *pose, camera_id = file.take("i7di")
        name = file.word()
        file.skip(24 * file.take("Q")[0])  # its points: x, y, number of the 3D point
        images.append((name, camera_id, _pose(path, name, pose)))
    return images


# --- nerfstudio


def _read_nerfstudio(path: Path) -> tuple[SolvedCamera, ...]:
    """Camera axes of OpenGL (y up, z backwards) become OpenCV's; intrinsics stand in the frame or for all in the file."""
    data = load_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("frames"), list):
        raise ValueError(f"{path}: lacks the field frames; is it nerfstudio's transforms.json?")
    solved = []
    for i, frame in enumerate(data["frames"]):
        label, both = f"frames[{i}]", {**data, **frame}
        model = both.get("camera_model", "OPENCV")
        if model not in ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE"):
            raise ValueError(f"{path}: {label}: camera_model {model} is no pinhole; undistort the pictures first")
        missing = [key for key in ("fl_x", "cx", "cy", "w", "h", "file_path", "transform_matrix") if key not in both]
        if missing:
            raise ValueError(f"{path}: {label}: lacks {', '.join(missing)}")
        matrix = np.asarray(both["transform_matrix"], float)
        if matrix.shape != (4, 4) or np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 0.01:
            raise ValueError(f"{path}: {label}.transform_matrix: expected a rigid (4, 4) matrix, found {matrix.tolist()}")
        fx, fy, size = float(both["fl_x"]), float(both.get("fl_y", both["fl_x"])), (int(both["w"]), int(both["h"]))
        K = _lens(path, label, "PINHOLE", *size, [fx, fy, float(both["cx"]), float(both["cy"])])
        k1, k2, p1, p2, k3 = (float(both.get(key, 0.0)) for key in ("k1", "k2", "p1", "p2", "k3"))
        _refuse_distortion(path, label, K, size, (k1, k2, p1, p2, k3))
        camera = Camera(K=K, T_world_camera=matrix @ np.diag([1.0, -1.0, -1.0, 1.0]), width=size[0], height=size[1])
        solved.append(SolvedCamera(name=str(both["file_path"]), camera=camera))
    return _sorted(path, solved)
