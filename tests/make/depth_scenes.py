"""Rooms of known depth with bodies in them: what a depth estimator would see, and what a fit would recover, errors included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from augment.body.model import Body, pose_body
from augment.geometry import invert_transform, project, transform_points
from augment.polygon import inside_polygon
from augment.raster.zbuffer import rasterize
from augment.types import JOINT, Camera, Motion, Scene


@dataclass
class ArrayMaps:
    """Depth maps in memory."""

    values: np.ndarray
    frame: np.ndarray
    kind: str = "disparity"
    metric: bool = False
    per_frame_affine: bool = False
    valid: np.ndarray | None = None

    def load(self, index: int):
        values = self.values[index]
        return values, np.isfinite(values) if self.valid is None else self.valid[index]


@dataclass
class Filmed:
    """A room with somebody in it, frame by frame."""

    camera: Camera
    room: np.ndarray
    """(h, w) metres."""
    depth: np.ndarray
    """(t, h, w) metres, with the person, 0 = unknown."""
    bodies: list[tuple[int, np.ndarray]]
    """What the fit says: frame and z-buffer."""
    covered: np.ndarray
    """(t, h, w) bool, where the person really is."""
    feet: np.ndarray


def standing(body: Body, feet: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vertices (t, v, 3) of somebody who stands or walks at feet (t, 2), arms down, turned at random."""
    t = len(feet)
    pose = np.zeros((t, 23, 3))
    pose[:, JOINT["left_shoulder"] - 1, 2], pose[:, JOINT["right_shoulder"] - 1, 2] = -1.2, 1.2
    stride = rng.uniform(-0.4, 0.4, t)
    pose[:, JOINT["left_hip"] - 1, 0], pose[:, JOINT["right_hip"] - 1, 0] = stride, -stride
    orient = np.zeros((t, 3))
    orient[:, 1] = rng.uniform(-np.pi, np.pi, t)
    motion = Motion(
        global_orient=orient, body_pose=pose, transl=np.zeros((t, 3)), betas=np.zeros(10), fps=10.0,
    )  # fmt: skip
    vertices = pose_body(body, motion)[0].astype(float)
    vertices[:, :, 1] -= vertices[:, :, 1].min(axis=1, keepdims=True)
    vertices[:, :, [0, 2]] += (feet - vertices.mean(axis=1)[:, [0, 2]])[:, None]
    return vertices


def places_in(scene: Scene, camera: Camera, count: int, rng: np.random.Generator) -> np.ndarray:
    """Free places (count, 2) on the floor where a whole body is in the picture and hidden by nothing."""
    low, high = scene.floor.min(axis=0), scene.floor.max(axis=0)
    found: list[np.ndarray] = []
    for _ in range(20000):
        place = rng.uniform(low, high)
        column = np.array([[place[0], y, place[1]] for y in (0.0, 0.9, 1.75)])
        local = transform_points(invert_transform(camera.T_world_camera), column)
        if not inside_polygon(place, scene.floor) or (local[:, 2] < 0.8).any():
            continue
        pixel = project(local, camera.K).astype(int)
        if (pixel < 4).any() or (pixel >= [camera.width - 4, camera.height - 4]).any():
            continue
        behind = scene.depth[pixel[:, 1], pixel[:, 0]]
        if (behind > local[:, 2] - 0.1).all():
            found.append(place)
        if len(found) == count:
            return np.array(found)
    raise AssertionError("the room has too few free places in view")


def film(
    scene: Scene, body: Body, feet: np.ndarray, *, rng: np.random.Generator, body_error: float = 0.04, bias: float = 0.01,
    thicker: float = 0.015, aside: float = 0.02,
) -> Filmed:  # fmt: skip
    """Put a body at each of ``feet`` into the scene's depth; the fitted one stands off in depth and aside, and is thinner."""
    camera = scene.camera
    vertices = standing(body, feet, rng)
    eye = camera.T_world_camera[:3, 3]
    depth, covered, bodies = [], [], []
    for t, real in enumerate(vertices):
        middle = real.mean(axis=0)
        swollen = real + thicker * _normals(real, body.faces)
        z = _draw(swollen, body, camera)
        hit = (z > 0) & ((scene.depth == 0) | (z < scene.depth))
        depth.append(np.where(hit, z, scene.depth))
        covered.append(hit)
        factor = 1 + bias + rng.normal(0, body_error)
        fitted = eye + factor * (middle - eye) + (real - middle) + aside * rng.normal(size=3)
        bodies.append((t, _draw(fitted, body, camera)))
    return Filmed(
        camera=camera, room=scene.depth, depth=np.array(depth, np.float32), bodies=bodies, covered=np.array(covered), feet=feet,
    )  # fmt: skip


def _draw(vertices: np.ndarray, body: Body, camera: Camera) -> np.ndarray:
    return rasterize(vertices, body.faces, np.zeros((len(vertices), 1), np.float32), camera)[0]


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = torch.as_tensor(vertices[faces])
    across = torch.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=1)
    normals = torch.zeros(vertices.shape, dtype=across.dtype)
    for k in range(3):
        normals.index_add_(0, torch.as_tensor(np.asarray(faces[:, k], np.int64)), across)
    return (normals / normals.norm(dim=1, keepdim=True).clamp(min=1e-12)).numpy()


def scrambled(
    depth: np.ndarray, *, scale: float, offset: float, rng: np.random.Generator, noise=0.01, outliers=0.0
) -> np.ndarray:
    """Disparity (t, h, w) of depth under ``1/z = scale * d + offset``: noisy, wrong in blobs that cover ``outliers`` of it."""
    with np.errstate(divide="ignore"):
        inverse = np.where(depth > 0, 1 / depth, np.nan)
    inverse = inverse * (1 + noise * rng.normal(size=depth.shape))
    if outliers:
        t, h, w = depth.shape
        cells = rng.random((t, -(-h // 12), -(-w // 12))) < outliers
        wrong = np.kron(cells, np.ones((1, 12, 12), bool))[:, :h, :w]
        inverse = np.where(wrong, rng.uniform(0.1, 1.0, size=depth.shape), inverse)
    return ((inverse - offset) / scale).astype(np.float32)
