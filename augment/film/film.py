"""Film a performance in a room: the layers of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..body.balls import RADII, ball_centers
from ..body.model import Body, pose_body
from ..geometry import invert_transform, transform_points
from ..motion.resample import resample
from ..raster.rasterize import Rasterizer
from ..raster.shading import vertex_normals
from ..types import Camera, Performance, SceneMesh
from .appearance import Look, wear
from .body_shadow import BodyShadow
from .composite import (
    Grain,
    Style,
    compose,
    fine_camera,
    joint_visibility,
    light_body,
    plate_light,
    sample_style,
)
from .props import add_props
from .view import View

CHUNK = 16
"""Frames whose vertices are held at once."""


def film(
    performance: Performance,
    view: View,
    body: Body,
    looks: Sequence[Look],
    *,
    rng: np.random.Generator,
    fps: float,
    rasterizer: Rasterizer,
    style: Style | None = None,
) -> dict[str, Any]:
    """Film a performance that has been placed in a room.

    Args:
        performance: Already in the view's scene (``placement.place``); ``provenance["props"]`` lists furniture brought along.
        view: The room as ``prepare_view`` gives it.
        looks: One for each person.
        rng: For the camera's style, the props' colours and the sensor noise.
        fps: Frames a second of the clip.
        style: Drawn if None.
    Returns:
        ``frames`` (t, h, w, 3) u8 RGB; ``mask`` (t, h, w) u8, 0 = room, n = n-th person; ``depth`` (t, h, w) f32, metres,
        0 = unknown; ``joints`` (t, 24, 3) f32, world, metres, first person; ``joints2d`` (t, 24, 3) f32, (u, v, confidence)
        with the confidence of ``composite.joint_visibility``; ``people`` the motions at ``fps``; ``camera`` at the clip's size;
        ``style`` as used.
    Raises:
        ValueError: If looks and people differ in number.
    """
    if len(looks) != len(performance.people):
        raise ValueError(f"film: {len(performance.people)} people but {len(looks)} looks; give one look a person")
    style = style or sample_style(rng=rng)
    view = add_props(view, performance.provenance.get("props", ()), rng=rng)
    grain = Grain(view, style, rng=rng)
    people = tuple(motion if motion.fps == fps else resample(motion, fps) for motion in performance.people)
    count = min(len(motion) for motion in people)
    shape = (count, view.camera.height, view.camera.width)
    frames, mask = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)
    depth = np.zeros(shape, np.float32)
    joints, joints2d = np.zeros((count, 24, 3), np.float32), np.zeros((count, 24, 3), np.float32)
    for start in range(0, count, CHUNK):
        part = slice(start, min(start + CHUNK, count))
        posed = [pose_body(body, motion, part) for motion in people]
        joints[part] = posed[0][1]
        for frame in range(part.start, part.stop):
            meshes = [wear(look, vertices[frame - start]) for look, (vertices, _) in zip(looks, posed, strict=True)]
            skeletons = [skeleton[frame - start] for _, skeleton in posed]
            frames[frame], mask[frame], depth[frame] = film_frame(
                view, meshes, skeletons, looks, rasterizer=rasterizer, style=style, noise=grain.next()
            )
            joints2d[frame] = _joints2d(skeletons[0], view.camera, mask[frame], depth[frame])
    return {
        "frames": frames, "mask": mask, "depth": depth, "joints": joints, "joints2d": joints2d,
        "people": tuple(motion.take(slice(count)) for motion in people), "camera": view.camera, "style": style,
    }  # fmt: skip


def film_frame(
    view: View,
    meshes: Sequence[np.ndarray],
    skeletons: Sequence[np.ndarray],
    looks: Sequence[Look],
    *,
    rasterizer: Rasterizer,
    style: Style,
    noise: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One frame, mask and depth (see ``composite.compose``) from dressed vertices (v, 3) and joints (24, 3) per person."""
    camera = fine_camera(view.camera)
    drawn, shadows = [], []
    for vertices, look in zip(meshes, looks, strict=True):
        lamps = [BodyShadow(lamp, vertices) for lamp in view.lights]
        normals = vertex_normals(vertices, look.faces)
        colors = light_body(view, vertices, normals, look.linear, lamps, style)
        mesh = SceneMesh(vertices=vertices, faces=look.faces, colors=colors)
        drawn.append(rasterizer.render_mesh(mesh, camera, lights=None, cull=not look.open))
        shadows.append(lamps)
    balls = [(ball_centers(joints).astype(np.float32), RADII) for joints in skeletons]
    light = plate_light(view, shadows, balls, style)
    return compose(view, drawn, light, style, noise)


def _joints2d(joints: np.ndarray, camera: Camera, mask: np.ndarray, depth: np.ndarray) -> np.ndarray:
    local = transform_points(invert_transform(camera.T_world_camera), joints.astype(np.float64))
    z = local[:, 2]
    homogeneous = local @ camera.K.T
    # A joint behind the camera is not in the picture: it gets pixels far outside it and confidence 0.
    uv = homogeneous[:, :2] / np.maximum(z, 1e-3)[:, None]
    return np.column_stack([uv, joint_visibility(uv, z, mask, depth, 1)]).astype(np.float32)
