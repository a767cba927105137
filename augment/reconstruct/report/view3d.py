"""Data of the 3D view, packed small: room, point cloud, outlines, and people as a skinned coarse mesh."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ...body.model import Body
from ...geometry import pixel_grid, transform_points, unproject
from ...types import Scene, SceneMesh
from ..people import Reconstruction, Recovered
from .overlay import color_of, states_of
from .pictures import corners_seen_from_above
from .skin import coarse_vertices, joint_transforms, make_skin
from .summary import label_of

MAX_MESH_VERTICES = 40_000
MAX_POINTS = 30_000
MAX_POSES = 2_500
"""Poses of all people together; with more, fewer a second are kept."""
POSES_A_SECOND = 12.0


def pack_view(reconstruction: Reconstruction, body: Body) -> dict[str, Any]:
    """Everything the viewer needs, as JSON values with arrays in base64.

    Returns:
        ``room`` and ``cloud`` (None where there is none), ``outlines`` (name, colour, points), ``camera`` (eye, axes, field of
        view), ``floor`` (its middle and reach), ``clips``: each with ``people``, whose ``poses`` are 24 x 3 x 4 numbers.
    """
    scene = reconstruction.scene
    coarse = coarse_vertices(body)
    total = sum(len(person.frames) / person.motion.fps for person in reconstruction.people)
    rate = min(POSES_A_SECOND, MAX_POSES / max(total, 1e-6))
    clips = []
    for video, path in enumerate(reconstruction.videos):
        people = [
            _person(index, person, body, coarse, rate)
            for index, person in enumerate(reconstruction.people)
            if person.video == video and len(person.frames)
        ]
        if people:
            seconds = max(each["start"] + (each["count"] - 1) / each["rate"] for each in people)
            clips.append({"name": path.name, "people": people, "seconds": seconds})
    middle = np.asarray(scene.floor).mean(axis=0)
    return {
        "room": None if scene.mesh is None else _room(scene.mesh),
        "cloud": _cloud(scene),
        "outlines": _outlines(scene),
        "camera": _camera(scene),
        "floor": {"x": float(middle[0]), "z": float(middle[1]), "reach": float(np.ptp(scene.floor, axis=0).max())},
        "faces": pack(coarse[1], np.uint16 if len(coarse[0]) < 65536 else np.uint32),
        "clips": clips,
    }  # fmt: skip


def pack(values: Any, dtype: Any, *, scaled: bool = False) -> dict[str, Any]:
    """An array as base64, little-endian; ``scaled`` numbers are whole multiples of ``unit``, the finest that fits."""
    values = np.asarray(values)
    unit = 1.0
    if scaled:
        most = float(np.abs(values).max()) if values.size else 0.0
        unit = max(most, 1e-9) / np.iinfo(dtype).max
        values = np.rint(values / unit)
    data = np.ascontiguousarray(values.astype(np.dtype(dtype).newbyteorder("<")))
    return {
        "type": np.dtype(dtype).name,
        "shape": list(data.shape),
        "unit": unit,
        "data": base64.b64encode(data.tobytes()).decode(),
    }


def _person(index: int, person: Recovered, body: Body, coarse: tuple[np.ndarray, np.ndarray], rate: float) -> dict[str, Any]:
    stride = max(1, round(person.motion.fps / rate))
    rows = np.arange(0, len(person.frames), stride)
    skin = make_skin(body, person.motion.betas, coarse)
    transforms = joint_transforms(body, person.motion, rows)
    return {
        "label": label_of(person), "color": list(color_of(index)),
        "start": float(person.frames[0] / person.motion.fps), "rate": float(person.motion.fps / stride), "count": len(rows),
        "rest": pack(skin.vertices, np.int16, scaled=True),
        "joints": pack(skin.joints, np.uint8), "weights": pack(np.rint(skin.weights * 255), np.uint8),
        "turns": pack(transforms[..., :3], np.int16, scaled=True), "shifts": pack(transforms[..., 3], np.int16, scaled=True),
        "pelvis": pack(np.asarray(person.joints)[rows, 0], np.int16, scaled=True),
        "states": pack(states_of(person, person.frames[rows]), np.uint8),
    }  # fmt: skip


def thin_mesh(mesh: SceneMesh, most: int) -> SceneMesh:
    """A mesh of at most ``most`` vertices: those in one cell of the finest suitable grid become one."""
    if len(mesh.vertices) <= most:
        return mesh
    low = mesh.vertices.min(axis=0)
    cell = 0.01
    while True:
        _, first, member = np.unique(
            np.floor((mesh.vertices - low) / cell).astype(np.int64), axis=0, return_index=True, return_inverse=True
        )
        if len(first) <= most:
            break
        cell *= 1.3
    faces = member.reshape(-1)[mesh.faces]
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return SceneMesh(vertices=mesh.vertices[first], faces=faces[distinct], colors=mesh.colors[first])


def _room(mesh: SceneMesh) -> dict[str, Any]:
    thin = thin_mesh(mesh, MAX_MESH_VERTICES)
    small = np.uint16 if len(thin.vertices) < 65536 else np.uint32
    return {
        "vertices": pack(thin.vertices, np.int16, scaled=True), "faces": pack(thin.faces, small),
        "colors": pack(thin.colors, np.uint8), "whole": len(thin.vertices) == len(mesh.vertices),
    }  # fmt: skip


def _cloud(scene: Scene) -> dict[str, Any] | None:
    """Points of the depth picture, coloured by the plate."""
    known = scene.depth > 0
    if not known.any():
        return None
    step = max(1, int(np.ceil(np.sqrt(known.sum() / MAX_POINTS))))
    z = scene.depth[::step, ::step].astype(float)
    pixels = pixel_grid(*scene.depth.shape)[::step, ::step]
    points = transform_points(scene.camera.T_world_camera, unproject(pixels[z > 0], z[z > 0], scene.camera.K))
    return {"points": pack(points, np.int16, scaled=True), "colors": pack(scene.plate[::step, ::step][z > 0], np.uint8)}


def _loop(points: np.ndarray) -> list[list[list[float]]]:
    return [[a.tolist(), b.tolist()] for a, b in zip(points, np.roll(points, -1, axis=0), strict=True)]


def _level(corners: np.ndarray, height: float) -> np.ndarray:
    """Corners (x, z) as points at a height."""
    return np.insert(corners, 1, height, axis=1)


def _outlines(scene: Scene) -> list[dict[str, Any]]:
    """Floor, furniture and surfaces as line segments."""
    lines = [{"kind": "floor", "color": [70, 80, 95], "lines": _loop(_level(np.asarray(scene.floor, float), 0.0))}]
    for obstacle in scene.obstacles:
        size = np.asarray(obstacle.size, float)
        corners = corners_seen_from_above(obstacle.center, (size[0], size[2]), obstacle.yaw)
        low, high = obstacle.center[1] - size[1] / 2, obstacle.center[1] + size[1] / 2
        posts = [[[x, low, z], [x, high, z]] for x, z in corners.tolist()]
        segments = _loop(_level(corners, low)) + _loop(_level(corners, high)) + posts
        lines.append({"kind": "furniture", "color": [136, 146, 160], "lines": segments})
    for surface in scene.surfaces:
        corners = corners_seen_from_above(surface.center, surface.size, surface.yaw)
        lines.append({"kind": "furniture", "color": [30, 110, 190], "lines": _loop(_level(corners, float(surface.center[1])))})
    return lines


def _camera(scene: Scene) -> dict[str, Any]:
    camera, T = scene.camera, scene.camera.T_world_camera
    corners = np.array([[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]], float)
    far = transform_points(T, unproject(corners, np.full(4, 0.5), camera.K))
    eye = T[:3, 3]
    return {
        "eye": eye.tolist(), "right": T[:3, 0].tolist(), "down": T[:3, 1].tolist(), "forward": T[:3, 2].tolist(),
        "fov": float(2 * np.arctan(camera.height / 2 / camera.K[1, 1])), "aspect": camera.width / camera.height,
        "lines": _loop(far) + [[eye.tolist(), each.tolist()] for each in far],
    }  # fmt: skip
