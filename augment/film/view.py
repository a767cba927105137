"""An empty room ready for filming: plate, depth and light through one camera at one size. It serves many clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from ..geometry import depth_to_floor, pixel_grid, transform_points, unproject
from ..polygon import inside_polygon
from ..raster.room import render_room
from ..raster.shading import AMBIENT, direct, irradiance, srgb_to_linear
from ..raster.zbuffer import rasterize
from ..scene.boxes import furnished_depth
from ..types import Camera, Light, Scene

LAMP_HEIGHT = 2.5
"""Assumed height of a ceiling lamp in a room whose lights are not known, metres."""
LIT_WHITE = 0.75
"""Linear reflectance taken for the brightest tenth of a plate (white walls, linen) when its light has to be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A room prepared for ``film``."""

    camera: Camera
    """Fixed, at the clip's size."""
    plate: UInt8[np.ndarray, "h w 3"]
    depth: Float32[np.ndarray, "h w"]
    """z-depth, metres, 0 = unknown."""
    points: Float32[np.ndarray, "h w 3"]
    """World position of what each pixel shows; the floor stands in where depth is unknown. Metres."""
    normals: Float32[np.ndarray, "h w 3"]
    """Unit, world, towards the camera's side."""
    solid: Bool[np.ndarray, "h w"]
    """Pixels at which ``points`` and ``normals`` are valid."""
    lights: tuple[Light, ...]
    ambient: Float32[np.ndarray, "h w"]
    """Light from everywhere that falls on each pixel's surface."""
    direct: Float32[np.ndarray, "l h w"]
    """Light of each lamp that falls on it, mean over the colours."""
    gain: Float32[np.ndarray, "3"]
    """Linear RGB factor that brings a body lit by ``lights`` to the plate's exposure and tint."""
    grey: bool
    """The plate has no colour (an infrared or monochrome camera), so a body must have none."""

    def with_depth(self, plate: np.ndarray, depth: np.ndarray, changed: np.ndarray) -> View:
        """The view after a solid object was added where ``changed`` (h, w) is True."""
        grid = pixel_grid(*depth.shape)[changed]
        points = self.points.copy()
        points[changed] = transform_points(self.camera.T_world_camera, unproject(grid, depth[changed], self.camera.K))
        normals = surface_normals(points, self.camera)
        ambient, falls = _light(points, normals, self.lights)
        solid = self.solid | changed
        return replace(
            self, plate=plate, depth=depth, points=points, normals=normals, solid=solid, ambient=ambient, direct=falls
        )  # fmt: skip


def prepare_view(scene: Scene, *, height: int, camera: Camera | None = None) -> View:
    """Bring a room to a clip's size, or film it anew from another camera.

    Where the depth is unknown or guessed, the scene's seats, beds and obstacles are in it as boxes; the plate stays as it is.

    Args:
        height: Picture height, pixels; the width follows from the camera.
        camera: A still camera other than the room's own; needs ``scene.mesh``.
    Raises:
        ValueError: If another camera is asked for and the room has no geometry, or the camera moves.
    """
    own = (scene.camera if camera is None else camera).scaled_to(height)
    if own.T_world_camera.ndim != 2:
        raise ValueError("prepare_view: the camera moves; only still cameras can be filmed against one plate")
    if camera is None:
        plate, depth = _resize(scene, own)
    elif scene.mesh is None:
        raise ValueError(
            f"scene {scene.name!r} has no mesh, so it can be filmed from its own camera only; "
            "leave out the new camera or use a scene with geometry (an embedded or scanned room)"
        )
    else:
        plate, depth = render_room(scene.mesh, own, scene.lights)
    depth = furnished_depth(scene, own, depth)
    points, solid = _points(scene, own, depth)
    lights = scene.lights or (_ceiling_lamp(scene),)
    gain, grey = np.ones(3, np.float32), False
    if scene.mesh is None or not scene.lights:
        gain, grey = _exposure(plate, points, solid, lights)
    normals = surface_normals(points, own)
    ambient, falls = _light(points, normals, lights)
    return View(
        camera=own, plate=plate, depth=depth, points=points, normals=normals, solid=solid,
        lights=lights, ambient=ambient, direct=falls, gain=gain, grey=grey,
    )  # fmt: skip


def depth_view(scene: Scene, *, height: int, camera: Camera | None = None) -> View:
    """``prepare_view`` for keypoints alone: camera and depth are the same, the picture is black and nothing is lit."""
    own = (scene.camera if camera is None else camera).scaled_to(height)
    if camera is None or scene.mesh is None:
        return prepare_view(scene, height=height, camera=camera)
    depth, _ = rasterize(scene.mesh.vertices, scene.mesh.faces, np.zeros((len(scene.mesh.vertices), 0)), own)
    shape = depth.shape
    zero, lights = np.float32(0), scene.lights or (_ceiling_lamp(scene),)
    return View(
        camera=own, plate=np.broadcast_to(np.uint8(0), (*shape, 3)), depth=furnished_depth(scene, own, depth),
        points=np.broadcast_to(zero, (*shape, 3)), normals=np.broadcast_to(zero, (*shape, 3)),
        solid=np.broadcast_to(np.False_, shape), lights=lights, ambient=np.broadcast_to(zero, shape),
        direct=np.broadcast_to(zero, (len(lights), *shape)), gain=np.ones(3, np.float32), grey=False,
    )  # fmt: skip


def _resize(scene: Scene, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    size = (camera.width, camera.height)
    if size == (scene.plate.shape[1], scene.plate.shape[0]):
        return scene.plate, scene.depth
    smaller = size[0] < scene.plate.shape[1]
    plate = cv2.resize(scene.plate, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    # Interpolating depths across an edge would invent surfaces in between.
    rows = ((np.arange(size[1]) + 0.5) * scene.depth.shape[0] / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * scene.depth.shape[1] / size[0]).astype(int)
    depth = np.ascontiguousarray(scene.depth[rows][:, columns])
    if smaller:
        return plate, depth
    # An enlarged depth in steps would give every surface a wrong slope. On one plane 1/z is linear in the picture.
    nearness = np.where(scene.depth > 0, 1 / np.maximum(scene.depth, 1e-6), 0).astype(np.float32)
    low, high = (change(nearness, np.ones((3, 3), np.uint8))[rows][:, columns] for change in (cv2.erode, cv2.dilate))
    between = cv2.resize(nearness, size, interpolation=cv2.INTER_LINEAR)
    on_one = (low > 0) & (high < 1.1 * low)
    return plate, np.where(on_one, 1 / np.maximum(between, 1e-6), depth).astype(np.float32)


def _points(scene: Scene, camera: Camera, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World points of the plate's pixels, and where they are known; floor inside the polygon fills holes in the depth."""
    grid = pixel_grid(camera.height, camera.width)
    T = camera.T_world_camera
    points = transform_points(T, unproject(grid, depth.astype(np.float64), camera.K).reshape(-1, 3)).reshape(*depth.shape, 3)
    solid = depth > 0
    rays = unproject(grid, np.ones(depth.shape), camera.K) @ T[:3, :3].T
    reach = depth_to_floor(rays, T[1, 3])
    floor = T[:3, 3] + rays * np.where(np.isfinite(reach), reach, 0.0)[..., None]
    fill = ~solid & np.isfinite(reach) & inside_polygon(floor[..., [0, 2]], scene.floor)
    points[fill] = floor[fill]
    return points.astype(np.float32), solid | fill


def surface_normals(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Normals (h, w, 3) from neighbouring points, each side's difference taken from the neighbour on the same surface."""

    def step(axis: int) -> np.ndarray:
        difference = np.diff(points, axis=axis)
        first, last = np.take(difference, [0], axis), np.take(difference, [-1], axis)
        ahead, back = np.concatenate([difference, last], axis), np.concatenate([first, difference], axis)
        shorter = np.einsum("hwk,hwk->hw", ahead, ahead) < np.einsum("hwk,hwk->hw", back, back)
        return np.where(shorter[..., None], ahead, back)

    along, down = step(1), step(0)
    normals = np.cross(down, along)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    towards = camera.T_world_camera[:3, 3].astype(np.float32) - points
    flip = (normals * towards).sum(-1, keepdims=True) < 0
    # Evened out on one surface, against the noise of measured depth, but not across edges.
    smooth = cv2.bilateralFilter(np.where(flip, -normals, normals).astype(np.float32), 5, 0.5, 2.0)
    return smooth / np.maximum(np.linalg.norm(smooth, axis=-1, keepdims=True), 1e-9)


def _light(points: np.ndarray, normals: np.ndarray, lights: tuple[Light, ...]) -> tuple[np.ndarray, np.ndarray]:
    shape = points.shape[:2]
    flat, facing = points.reshape(-1, 3), normals.reshape(-1, 3)
    ambient = (AMBIENT * (0.75 + 0.25 * normals[..., 1])).astype(np.float32)
    falls = [direct(flat, facing, lamp).reshape(shape) * np.float32(lamp.intensity * lamp.color.mean()) for lamp in lights]
    return ambient, np.stack(falls) if falls else np.zeros((0, *shape), np.float32)


def _ceiling_lamp(scene: Scene) -> Light:
    middle = scene.floor.mean(0)
    return Light(kind="point", position=np.array([middle[0], LAMP_HEIGHT, middle[1]]), color=np.ones(3), intensity=0.6)


def _exposure(
    plate: np.ndarray, points: np.ndarray, solid: np.ndarray, lights: tuple[Light, ...]
) -> tuple[Float32[np.ndarray, "3"], bool]:
    """Brightness and tint for a body, estimated from the plate: its brightest tenth is assumed to be white."""
    linear = srgb_to_linear(plate.reshape(-1, 3) / 255)
    brightness = linear.mean(1)
    bright = linear[brightness >= np.quantile(brightness, 0.9)].mean(0)
    grey = bool(np.abs(plate.astype(int) - plate.mean(-1, keepdims=True)).mean() < 2.5)
    tint = (bright / max(float(bright.mean()), 1e-6)) ** 0.5
    middle = points[solid].mean(0) if solid.any() else np.zeros(3)
    ways = np.array([[0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]], np.float32)
    falls = irradiance(np.tile(np.array([middle[0], 1.0, middle[2]]), (5, 1)), ways, lights).mean()
    level = np.clip(bright.mean() / LIT_WHITE, 0.05, 1.3)
    return (tint * level / max(float(falls), 0.05)).astype(np.float32), grey
