"""Made-up rooms, videos and people with known truth, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from augment.geometry import invert_transform, pixel_grid, project, transform_points
from augment.reconstruct.camera.calibrate import Calibration
from augment.reconstruct.camera.given import Picture
from augment.sources.people.mediapipe import LANDMARK, LANDMARKS
from augment.types import Camera

BODY = {
    "ear": (0.93, 0.07), "shoulder": (0.815, 0.18), "hip": (0.50, 0.1), "knee": (0.27, 0.09), "ankle": (0.045, 0.09),
}  # fmt: skip
"""Height as a share of the stature, half width in metres."""


def background(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """A smooth colourful picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, size=(height // 16, width // 16, 3))
    return np.kron(coarse, np.ones((16, 16, 1))).astype(np.uint8)


def write_video(path: Path, frames: np.ndarray, fps: int = 10) -> Path:
    """Write frames without loss (FFV1 in Matroska)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_keypoints(path: Path, landmarks: np.ndarray, size: tuple[int, int], fps: float = 10, world=None) -> Path:
    """Write a MediaPipe keypoints file."""
    extra = {} if world is None else {"landmarks_world": world.astype(np.float32)}
    np.savez(path, landmarks2d=landmarks.astype(np.float32), fps=fps, size=np.array(size), **extra)
    return path


def box_landmarks(boxes: np.ndarray) -> np.ndarray:
    """Landmarks (t, 33, 3) at the border of boxes (t, 4) = x0 y0 x1 y1; NaN rows where a box is NaN."""
    angle = np.linspace(0, 2 * np.pi, len(LANDMARKS), endpoint=False)
    unit = np.clip(np.stack([np.sin(angle), -np.cos(angle)], axis=1) * 1.5, -1, 1)
    center, half = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2, (boxes[:, None, 2:] - boxes[:, None, :2]) / 2
    return np.concatenate([center + unit * half, np.ones((len(boxes), len(LANDMARKS), 1))], axis=2)


def camera_of(*, focal: float, height: float, pitch: float, roll: float = 0.0, width: int = 640, tall: int = 480) -> Camera:
    """A camera over the floor, angles in degrees."""
    return Calibration(
        focal=focal, height=height, pitch=np.radians(pitch), roll=np.radians(roll),
        picture=Picture(width=width, height=tall),
    ).camera  # fmt: skip


def people_landmarks(
    camera: Camera, feet: np.ndarray, *, stature: float = 1.70, noise: float = 0.0, rng: np.random.Generator
) -> np.ndarray:
    """Landmarks (t, 33, 3) of somebody standing upright at feet (t, 2), facing at random, seen by the camera."""
    landmarks = np.full((len(feet), len(LANDMARKS), 3), np.nan)
    for t, (x, z) in enumerate(feet):
        turn = rng.uniform(0, 2 * np.pi)
        side = np.array([np.cos(turn), 0, np.sin(turn)])
        for name in LANDMARKS:
            part = next((p for p in BODY if name.endswith(p)), "ear" if LANDMARK[name] <= 10 else "hip")
            if "heel" in name or "foot" in name:
                part = "ankle"
            share, half = BODY[part]
            sign = 1 if name.startswith("left") else -1 if name.startswith("right") else 0
            point = np.array([x, stature * share, z]) + sign * half * side
            local = transform_points(invert_transform(camera.T_world_camera), point[None])[0]
            u, v = project(local, camera.K) + rng.normal(0, noise, 2)
            inside = 0 <= u < camera.width and 0 <= v < camera.height
            landmarks[t, LANDMARK[name]] = u, v, 0.99 if inside else 0.1
    return landmarks


def box_room(camera: Camera, boxes, *, wall: float = 5.0, noise: float = 0.0) -> np.ndarray:
    """z-depth of a floor, a far wall and boxes (x0, x1, y1, z0, z1) standing on the floor, by ray casting."""
    rays = np.concatenate([pixel_grid(camera.height, camera.width), np.ones((camera.height, camera.width, 1))], axis=2)
    rays = rays @ np.linalg.inv(camera.K).T @ camera.T_world_camera[:3, :3].T
    origin = camera.T_world_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.minimum(
            np.where(rays[..., 1] < 0, -origin[1] / rays[..., 1], np.inf),
            np.where(rays[..., 2] > 0, (wall - origin[2]) / rays[..., 2], np.inf),
        )
        for x0, x1, y1, z0, z1 in boxes:
            a = (np.array([x0, 0.0, z0]) - origin) / rays
            b = (np.array([x1, y1, z1]) - origin) / rays
            enter, leave = np.minimum(a, b).max(axis=2), np.maximum(a, b).min(axis=2)
            depth = np.where((enter < leave) & (enter > 0), np.minimum(depth, enter), depth)
    rng = np.random.default_rng(0)
    depth = depth * (1 + noise * rng.normal(size=depth.shape))
    return np.where(depth < 9, depth, 0).astype(np.float32)
