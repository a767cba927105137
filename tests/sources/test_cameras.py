"""Law: a camera written in COLMAP's or nerfstudio's convention, and read, sees the same points at the same pixels."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from augment.geometry import invert_transform, project, transform_points
from augment.sources.cameras import MODELS, read_cameras

WIDTH, HEIGHT = 640, 480
POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 3))
LENSES = {
    "SIMPLE_PINHOLE": [600.0, 310.0, 250.0], "PINHOLE": [600.0, 620.0, 310.0, 250.0],
    "SIMPLE_RADIAL": [600.0, 310.0, 250.0, 1e-4], "RADIAL": [600.0, 310.0, 250.0, 1e-4, -1e-4],
    "OPENCV": [600.0, 620.0, 310.0, 250.0, 1e-4, 0, 1e-5, 0],
}  # fmt: skip


def poses() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """World to camera: rotation and translation, the points some 4 in front."""
    rng = np.random.default_rng(1)
    return {
        f"room b/{i:04d}.jpg": (Rotation.from_rotvec(rng.normal(size=3)).as_matrix(), np.array([0.1 * i, -0.2, 4.0]))
        for i in range(3)
    }


def pixels(rotation: np.ndarray, translation: np.ndarray, parameters: list[float], model: str) -> np.ndarray:
    """The solver's own projection, by OpenCV."""
    fy = parameters[MODELS[model][1] - 1]
    cx, cy = parameters[MODELS[model][1] : MODELS[model][1] + 2]
    K = np.array([[parameters[0], 0, cx], [0, fy, cy], [0, 0, 1]])
    return cv2.projectPoints(POINTS, Rotation.from_matrix(rotation).as_rotvec(), translation, K, None)[0][:, 0]


def write_text(folder: Path, model: str, parameters: list[float], *, points: bool) -> None:
    numbers = " ".join(map(repr, parameters))
    (folder / "cameras.txt").write_text(f"# Camera list\n# more\n7 {model} {WIDTH} {HEIGHT} {numbers}\n")
    lines = ["# Image list", "# two lines"]
    for i, (name, (rotation, translation)) in enumerate(poses().items()):
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        lines.append(" ".join(map(repr, map(float, (w, x, y, z, *translation)))))
        lines[-1] = f"{i + 1} {lines[-1]} 7 {name}"
        lines.append("1.5 2.5 -1 3.0 4.0 12" if points else "")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_binary(folder: Path, model: str, parameters: list[float], *, points: bool) -> None:
    data = struct.pack("<QiiQQ", 1, 7, MODELS[model][0], WIDTH, HEIGHT) + struct.pack(f"<{len(parameters)}d", *parameters)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", 3)
    for i, (name, (rotation, translation)) in enumerate(poses().items()):
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        data += struct.pack("<i7di", i + 1, w, x, y, z, *translation, 7) + name.encode() + b"\0"
        data += struct.pack("<Q", 2 if points else 0) + (struct.pack("<ddqddq", 1.5, 2.5, -1, 3, 4, 12) if points else b"")
    (folder / "images.bin").write_bytes(data)


def nerfstudio(**change) -> dict:
    """transforms.json: OpenGL axes, camera to world."""
    frames = []
    for name, (rotation, translation) in poses().items():
        T_camera_world = np.eye(4)
        T_camera_world[:3, :3], T_camera_world[:3, 3] = rotation, translation
        opengl = np.linalg.inv(T_camera_world) @ np.diag([1.0, -1, -1, 1])
        frames.append({"file_path": name, "transform_matrix": opengl.tolist()})
    shared = {"camera_model": "OPENCV", "fl_x": 600.0, "fl_y": 620.0, "cx": 310.0, "cy": 250.0, "w": WIDTH, "h": HEIGHT}
    return {**shared, "k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0, "frames": frames, **change}


def assert_same_pixels(solved, parameters: list[float], model: str) -> None:
    assert [s.name for s in solved] == sorted(poses())
    for one in solved:
        assert (one.camera.width, one.camera.height) == (WIDTH, HEIGHT)
        seen = project(transform_points(invert_transform(one.camera.T_world_camera), POINTS), one.camera.K)
        np.testing.assert_allclose(seen, pixels(*poses()[one.name], parameters, model), atol=1e-6)


@pytest.mark.parametrize("points", [True, False])
@pytest.mark.parametrize("write", [write_text, write_binary])
@pytest.mark.parametrize("model", LENSES)
def test_colmap(tmp_path, model, write, points):
    write(tmp_path, model, LENSES[model], points=points)
    assert_same_pixels(read_cameras(tmp_path), LENSES[model], model)


def test_nerfstudio_and_where_models_are_looked_for(tmp_path):
    (tmp_path / "transforms.json").write_text(json.dumps(nerfstudio()))
    for path in (tmp_path, tmp_path / "transforms.json"):
        assert_same_pixels(read_cameras(path), LENSES["PINHOLE"], "PINHOLE")
    folder = tmp_path / "project" / "sparse" / "0"
    folder.mkdir(parents=True)
    write_binary(folder, "PINHOLE", LENSES["PINHOLE"], points=True)
    assert_same_pixels(read_cameras(tmp_path / "project"), LENSES["PINHOLE"], "PINHOLE")


def test_nerfstudio_lens_of_each_frame(tmp_path):
    data = nerfstudio()
    data["frames"][1]["fl_x"] = 500.0
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    assert [s.camera.K[0, 0] for s in read_cameras(tmp_path)] == [600.0, 500.0, 600.0]


@pytest.mark.parametrize("model", ["SIMPLE_RADIAL", "RADIAL", "OPENCV"])
@pytest.mark.parametrize("write", [write_text, write_binary])
def test_distorted_lenses_are_refused_with_what_to_do(tmp_path, model, write):
    parameters = list(LENSES[model])
    parameters[MODELS[model][1] + 2] = 0.1
    write(tmp_path, model, parameters, points=False)
    with pytest.raises(ValueError, match=r"cameras.\w+: camera 7: the lens distorts corners by .* undistort"):
        read_cameras(tmp_path)


def test_the_limit_is_in_pixels_as_opencv_has_them(tmp_path):
    """Known answer: the shift at the corners that the message names is OpenCV's own."""
    parameters = [600.0, 620.0, 310.0, 250.0, 0.05, -0.02, 1e-3, 2e-3]
    write_text(tmp_path, "OPENCV", parameters, points=False)
    K = np.array([[600.0, 0, 310], [0, 620, 250], [0, 0, 1]])
    corners = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], float)
    rays = np.column_stack([(corners - [310, 250]) / [600, 620], np.ones(4)])
    bent = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), K, np.array(parameters[4:]))[0][:, 0]
    shift = np.linalg.norm(bent - corners, axis=1).max()
    with pytest.raises(ValueError, match=rf"distorts corners by {shift:.1f} px"):
        read_cameras(tmp_path)


def test_bad_colmap_files_are_named(tmp_path):
    def spoil(name: str, old: str, new: str, message: str) -> None:
        write_text(tmp_path, "PINHOLE", LENSES["PINHOLE"], points=True)
        file = tmp_path / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=f"{name}: {message}"):
            read_cameras(tmp_path)

    spoil("cameras.txt", "PINHOLE", "FISHEYE", "camera 7: lens model FISHEYE is not read")
    spoil("cameras.txt", "620.0", "", "camera 7: PINHOLE of 640x480 expects 4 finite parameters")
    spoil("cameras.txt", "600.0", "-600.0", "camera 7: focal length")
    spoil("cameras.txt", "640", "wide", "expected CAMERA_ID MODEL")
    spoil("images.txt", " 7 ", " 8 ", "picture room b/0000.jpg has camera 8")
    spoil("images.txt", "1 ", "1 9", "picture .*: expected a unit quaternion")
    spoil("images.txt", "1 ", "1 x", "expected IMAGE_ID QW")
    (tmp_path / "images.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match=r"images.txt: no picture in it"):
        read_cameras(tmp_path)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
def test_cut_binary_files_are_named(tmp_path, name):
    """Whatever is cut off the end, the file is refused, never read in part."""
    write_binary(tmp_path, "PINHOLE", LENSES["PINHOLE"], points=True)
    whole = (tmp_path / name).read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(ValueError, match=f"{name}: cut short"):
            read_cameras(tmp_path)


def test_bad_nerfstudio_files_are_named(tmp_path):
    def check(data: object, message: str) -> None:
        (tmp_path / "transforms.json").write_text(json.dumps(data))
        with pytest.raises(ValueError, match=f"transforms.json: {message}"):
            read_cameras(tmp_path)

    check([], "lacks the field frames")
    check(nerfstudio(frames=[]), "no picture in it")
    check(nerfstudio(camera_model="OPENCV_FISHEYE"), r"frames\[0\]: camera_model OPENCV_FISHEYE is no pinhole")
    check(nerfstudio(k1=0.1), r"frames\[0\]: the lens distorts")
    check(nerfstudio(frames=[{"file_path": "a"}]), r"frames\[0\]: lacks transform_matrix")
    check(
        nerfstudio(frames=[{"file_path": "a", "transform_matrix": np.ones((4, 4)).tolist()}]), r"frames\[0\].transform_matrix"
    )
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        read_cameras(tmp_path)
    with pytest.raises(ValueError, match=r"absent: no solved cameras; expected COLMAP"):
        read_cameras(tmp_path / "absent")
