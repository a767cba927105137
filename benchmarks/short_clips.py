"""The camera from one short clip of our own rooms, against the truth: height, pitch and focal length, and their intervals.

    python -m benchmarks.short_clips [--films 60] [--first 0]

Each film: 4 to 8 s of one person of unknown stature who only stands, sits, falls or walks once, at 640x480 and 25 frames a
second; a camera 0.5 to 2.8 m up, looking down by 0 to 40 degrees, with a focal length of 0.6 to 1.4 of the width, rolled by 1.5
degrees (one standard deviation). The picture of the room has noise and JPEG's losses, the points have MediaPipe's errors as
measured on UP-Fall. How much edges count was chosen on 30 films of another draw.
"people only" is what upright people alone allow; "no edges" adds the feet of who sits or falls, "edges" the room's lines.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from augment.geometry import look_at, rigid
from augment.progress import Progress
from augment.raster.rasterize import make_rasterizer
from augment.raster.room import render_room
from augment.reconstruct.camera.calibrate import Calibration, calibrate, guess_calibration
from augment.reconstruct.camera.given import Given, Picture
from augment.reconstruct.camera.lines import room_lines
from augment.reconstruct.camera.upright import find_upright
from augment.reconstruct.camera.whole_body import whole_bodies
from augment.sources.people.keypoints import to_mediapipe
from augment.types import Camera, SceneMesh
from benchmarks.truth.maker import Truth, make_truth

SIZE = (640, 480)
ACTIONS = (
    "stand", "sit", "fall_backward", "walk", "fall_forward_knees", "fall_sideways", "stand", "walk", "sit", "fall_from_chair",
)  # fmt: skip
WAYS = ("people only", "no edges", "edges")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Measure the camera of short clips against the truth."""

    films: int = 60
    """Number of films."""
    first: int = 0
    """Seed of the first."""


def draw_camera(
    room: SceneMesh, square: tuple[float, float, float], size: tuple[int, int], *, rng: np.random.Generator
) -> Camera | None:
    """A camera near a wall that heads for the room's clear floor; None if hips and head of somebody there are out of view."""
    width, height = size
    low, high = room.vertices.min(0), room.vertices.max(0)
    focal, up, pitch = rng.uniform(0.6, 1.4) * width, rng.uniform(0.5, 2.8), np.radians(rng.uniform(0, 40))
    x, z = rng.uniform(low[[0, 2]] + 0.15, high[[0, 2]] - 0.15)
    if min(x - low[0], high[0] - x, z - low[2], high[2] - z) > 0.8:
        return None
    towards = np.array([square[0] - x, square[1] - z]) + rng.normal(0, 0.3, 2)
    towards /= np.linalg.norm(towards)
    forward = np.array([towards[0] * np.cos(pitch), -np.sin(pitch), towards[1] * np.cos(pitch)])
    eye, roll = np.array([x, up, z]), np.radians(rng.normal(0, 1.5))
    turned = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    T = look_at(eye, eye + forward)
    T = rigid(T[:3, :3] @ turned, eye)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    body = (np.array([[square[0], y, square[1]] for y in (0.9, 1.5)]) - eye) @ T[:3, :3]
    pixels = focal * body[:, :2] / np.maximum(body[:, 2:], 0.05) + K[:2, 2]
    seen = (body[:, 2] > 1.2) & (pixels > 0).all(axis=1) & (pixels < size).all(axis=1)
    return Camera(K=K, T_world_camera=T, width=width, height=height) if seen.all() else None


def make_film(seed: int) -> Truth:
    """A case whose person is in the picture in most frames, in a room with a free view."""
    for again in range(20):
        rng = np.random.default_rng([seed, again, 0x511])
        seconds, room = float(rng.uniform(4, 8)), 7000 + seed + 1000 * again
        try:
            truth = make_truth(
                room, ACTIONS[seed % len(ACTIONS)], seconds=seconds, size=SIZE, draw_camera=draw_camera, tries=60
            )
        except ValueError:  # no place in this room
            continue
        inside = truth.keypoints("mediapipe33")[1][:, [11, 12, 23, 24]].all(axis=1).mean()
        if inside > 0.6 and np.median(truth.scene.depth) > 1.2:
            return truth
    raise ValueError(f"film {seed}: no view of the person in twenty rooms")


def photograph(truth: Truth, *, rng: np.random.Generator) -> np.ndarray:
    """The empty room as a cheap camera shows it: RGB."""
    assert truth.scene.mesh is not None
    plate, _ = render_room(truth.scene.mesh, truth.camera, truth.scene.lights, supersample=1)
    noisy = np.clip(plate + rng.normal(0, 3, plate.shape), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    shown = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert shown is not None
    return np.ascontiguousarray(shown[..., ::-1])


def measure(truth: Truth, *, rng: np.random.Generator) -> dict[str, tuple[Calibration, float]]:
    """Each way's camera, and the processor time it took, seconds."""
    picture, given = Picture(width=SIZE[0], height=SIZE[1]), Given()
    found = truth.detections("mediapipe33", rng=rng, rasterizer=make_rasterizer("compiled"))
    people = [to_mediapipe(found, frames=len(truth), width=SIZE[0], height=SIZE[1], fps=truth.fps)]
    image, result = photograph(truth, rng=rng), {}
    for way in WAYS:
        start = time.process_time()
        calibration = calibrate(
            find_upright(people), picture, given, bodies=whole_bodies(people) if way != WAYS[0] else None,
            lines=room_lines(image, picture.center) if way == WAYS[2] else None,
        )  # fmt: skip
        if not isinstance(calibration, Calibration):
            calibration = guess_calibration(picture, given)
        result[way] = calibration, time.process_time() - start
    return result


def errors(found: Calibration, truth: Truth) -> np.ndarray:
    """Absolute errors: height (share), pitch (degrees), focal length (share); and whether each is in its 95 % interval."""
    T, focal = truth.camera.T_world_camera, truth.camera.K[0, 0]
    off = np.array([
        found.height - T[1, 3], found.pitch - np.arcsin(np.clip(-T[1, 2], -1, 1)), np.log(found.focal / focal)
    ])  # fmt: skip
    inside = np.full(3, np.nan)
    if found.std:
        inside = (np.abs(off) < 1.96 * np.array([found.std[name] for name in ("height", "pitch", "focal")])).astype(float)
    shown = [abs(off[0]) / T[1, 3], abs(np.degrees(off[1])), abs(found.focal / focal - 1)]
    return np.array([*shown, *inside, float(found.observed)])


def main(settings: Settings) -> None:
    """Print the table."""
    rows: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with Progress() as progress:
        for number in range(settings.films):
            progress.update("films", number, settings.films)
            truth = make_film(settings.first + number)
            for way, (found, took) in measure(truth, rng=np.random.default_rng([settings.first + number, 1])).items():
                rows[way].append(errors(found, truth))
                seconds[way].append(took)
    table = Table(
        "", "height, %", "pitch, deg", "focal, %", "in the 95 % interval: height, pitch, focal", "observed", "s a clip"
    )
    for way in WAYS:
        values = np.array(rows[way])
        middle, tenth = np.median(values[:, :3], axis=0), np.percentile(values[:, :3], 90, axis=0)
        inside = np.nanmean(values[:, 3:6], axis=0) if np.isfinite(values[:, 3]).any() else np.full(3, np.nan)
        table.add_row(
            way, *(f"{scale * m:.1f} ({scale * t:.1f})" for m, t, scale in zip(middle, tenth, (100, 1, 100), strict=True)),
            " ".join(f"{value:.2f}" for value in inside), f"{values[:, 6].mean():.2f}", f"{np.mean(seconds[way]):.2f}",
        )  # fmt: skip
    console = Console(width=160)
    console.print(table)
    console.print(f"{settings.films} films; median, and 90th percentile in brackets")


if __name__ == "__main__":
    main(tyro.cli(Settings))
