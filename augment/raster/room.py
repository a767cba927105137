"""An empty room through a camera: the plate and its depth, lit pixel by pixel with soft shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, UInt8

from ..compiled import compiled
from ..geometry import look_at, pixel_grid, rigid, transform_points, unproject
from ..types import Camera, Light, SceneMesh
from .shading import direct, irradiance, linear_to_srgb, shoulder, srgb_to_linear
from .zbuffer import rasterize

SHADOW_SIZE = 384
"""Pixels along one side of a shadow map's face."""
LAMP_RADIUS = 0.12
"""Metres; how large a lamp is, which sets how soft its shadows are."""
_TURN = np.arange(24) * 2.399963
_LOOKS = (np.sqrt((np.arange(24) + 0.5) / 24) * np.stack([np.cos(_TURN), np.sin(_TURN)])).T.copy()
"""Places on a disc at which shadow maps are sampled, a sunflower's."""


def render_room(
    mesh: SceneMesh,
    camera: Camera,
    lights: Sequence[Light] = (),
    *,
    supersample: int = 2,
    shadows: bool = True,
) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
    """Film an empty room.

    Args:
        mesh: The room; triangles seen from behind are left out, so a camera may look in through a wall's outside.
        camera: ``T_world_camera`` must be one (4, 4).
        lights: See ``shading.irradiance``.
        supersample: Rays a pixel along each axis; the plate is their mean, the depth is that of the pixel's centre.
        shadows: Cast shadows of every light.
    Returns:
        plate (h, w, 3) sRGB, black where there is no room; depth (h, w), metres, 0 = nothing there.
    """
    fine = camera.scaled_to(camera.height * supersample, camera.width * supersample)
    picture, depth = draw_lit(mesh, fine, lights, shadows=shadows)
    picture = picture.reshape(camera.height, supersample, camera.width, supersample, 3).mean((1, 3))
    plate = np.rint(linear_to_srgb(picture) * 255).astype(np.uint8)
    if supersample > 1:
        depth, _ = rasterize(mesh.vertices, mesh.faces, np.zeros((len(mesh.vertices), 0)), camera)
    return plate, depth


def draw_lit(
    mesh: SceneMesh, camera: Camera, lights: Sequence[Light], *, shadows: bool = True
) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
    """Linear picture and depth of a flat-shaded mesh, one sample a pixel, lit at every pixel."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # Flat shading: every triangle gets corners of its own, which carry its normal.
    soup, faces = corners.reshape(-1, 3), np.arange(len(corners) * 3).reshape(-1, 3)
    albedo = srgb_to_linear(mesh.colors[mesh.faces].reshape(-1, 3) / 255)
    depth, values = rasterize(soup, faces, np.concatenate([albedo, np.repeat(normals, 3, axis=0)], axis=1), camera)
    seen = depth > 0
    points = unproject(pixel_grid(camera.height, camera.width)[seen], depth[seen], camera.K)
    points = transform_points(camera.T_world_camera, points).astype(np.float32)
    albedo, normals = values[seen][:, :3], values[seen][:, 3:]
    light = irradiance(points, normals, ())
    for lamp in lights:
        lit = direct(points, normals, lamp)
        if shadows:
            lit = lit * _visible(lamp, points, normals, mesh)
        light = light + lit[:, None] * (lamp.color * lamp.intensity)
    picture = np.zeros((camera.height, camera.width, 3), np.float32)
    picture[seen] = shoulder(albedo * light)
    return picture, depth


def _visible(lamp: Light, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], mesh: SceneMesh) -> np.ndarray:
    """Share of a lamp that each point sees, 0..1, from shadow maps sampled at scattered places on the lamp."""
    points = (points + 0.012 * normals).astype(np.float64)
    share, bare = np.ones(len(points), np.float32), np.zeros((len(mesh.vertices), 0))
    for view in _shadow_views(lamp, mesh):
        # A wall's back must not shade its own room: only faces turned to the lamp are drawn, as the camera sees them.
        nearest, _ = rasterize(mesh.vertices, mesh.faces, bare, view)
        nearest = np.where(nearest > 0, nearest, np.inf)
        lens = (float(view.K[0, 0]), float(view.K[0, 2]), lamp.kind == "point")
        _filter(nearest, lens, view.T_world_camera, points, normals.astype(np.float64), share)
    return share


@compiled
def _filter(nearest, lens, T_world_lamp, points, normals, share):
    """Percentage-closer filtering: the mean of ``_LOOKS`` of the shadow map on a disc around each point that it shows.

    Each sample is compared with the depth of the shaded plane itself there, so that slanted walls do not shade themselves.

    Args:
        nearest: The shadow map: z of the nearest surface, inf where there is none. Shape (s, s).
        lens: Focal length and middle of the map, pixels; whether the lamp is a point.
        T_world_lamp: (4, 4)
        points: World, metres. Shape (n, 3).
        normals: Unit. Shape (n, 3).
        share: Written for the points in the map. Shape (n).
    """
    focal, middle, is_point = lens
    size = nearest.shape[0]
    R = T_world_lamp[:3, :3]
    for i in range(points.shape[0]):
        dx, dy, dz = points[i, 0] - T_world_lamp[0, 3], points[i, 1] - T_world_lamp[1, 3], points[i, 2] - T_world_lamp[2, 3]
        z = dx * R[0, 2] + dy * R[1, 2] + dz * R[2, 2]
        if z <= 0:
            continue
        x, y = dx * R[0, 0] + dy * R[1, 0] + dz * R[2, 0], dx * R[0, 1] + dy * R[1, 1] + dz * R[2, 1]
        u, v = focal * x / z, focal * y / z
        if abs(u) > focal or abs(v) > focal:
            continue
        a, b, c = normals[i, 0], normals[i, 1], normals[i, 2]
        nx, ny, nz = (
            a * R[0, 0] + b * R[1, 0] + c * R[2, 0], a * R[0, 1] + b * R[1, 1] + c * R[2, 1],
            a * R[0, 2] + b * R[1, 2] + c * R[2, 2],
        )  # fmt: skip
        offset = nx * x + ny * y + nz * z
        # In the shadow map, a lamp's blur shrinks with the distance of the shaded point.
        radius = LAMP_RADIUS * focal / max(z, 0.8) if is_point else 3.0
        lit = 0
        for look in range(_LOOKS.shape[0]):
            column = min(max(int(u + middle + radius * _LOOKS[look, 0]), 0), size - 1)
            row = min(max(int(v + middle + radius * _LOOKS[look, 1]), 0), size - 1)
            slope = nx * (column + 0.5 - middle) / focal + ny * (row + 0.5 - middle) / focal + nz
            plane = offset / slope if slope < -1e-3 else z
            if nearest[row, column] > min(max(plane, 0.0), z * 1.5) * 0.995 - 0.02:
                lit += 1
        share[i] = lit / _LOOKS.shape[0]


def _shadow_views(lamp: Light, mesh: SceneMesh) -> list[Camera]:
    """Cameras that see the room as the lamp does: six right-angled ones with a margin, or a far one for the sun."""
    size = SHADOW_SIZE
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    middle, reach = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    if lamp.kind == "directional":
        # Far enough for its rays to be parallel within a degree or so.
        eye = middle + lamp.position / np.linalg.norm(lamp.position) * reach * 40
        K = np.array([[size / 2 * 38, 0, size / 2], [0, size / 2 * 38, size / 2], [0, 0, 1.0]])
        return [Camera(K=K, T_world_camera=_aim(eye, middle), width=size, height=size)]
    K = np.array([[size * 0.44, 0, size / 2], [0, size * 0.44, size / 2], [0, 0, 1.0]])
    base = Camera(K=K, T_world_camera=np.eye(4), width=size, height=size)
    ways = np.concatenate([np.eye(3), -np.eye(3)])
    return [replace(base, T_world_camera=_aim(lamp.position, lamp.position + way)) for way in ways]


def _aim(eye: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> np.ndarray:
    """``look_at`` that also looks straight up and down."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    if abs(forward[1]) < 0.999:
        return look_at(eye, target)
    right = np.array([1.0, 0.0, 0.0])
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), eye)
