"""How far a room that is known from one picture can be filmed from another camera: rooms of known geometry, one plate each.

    python -m benchmarks.reshoot --rooms 12 --out FILE.json

The plate is bent over a depth (a) measured, with the errors of an estimated one: 3 % that vary smoothly over the picture, and
3 % in scale; (b) guessed by the package from the plate. Each camera's picture is compared with the room drawn from there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from augment.film.cameras import standing_places
from augment.film.reshoot import bent
from augment.geometry import invert_transform, look_at, pixel_grid, project_clamped, transform_points, unproject
from augment.polygon import convex_hull
from augment.raster.room import render_room
from augment.reconstruct.guess.layout import guess_layout
from augment.scene.rooms.care_room import make_room
from augment.types import Camera, Scene

SIZE = 224
"""Picture height at which errors are given, pixels."""
MOVES = [
    (0.05, 0.0),
    (0.1, 0.0),
    (0.15, 0.0),
    (0.2, 0.0),
    (0.3, 0.0),
    (0.4, 0.0),
    (0.5, 0.0),
    (0.0, 4.0),
    (0.0, 8.0),
    (0.0, 12.0),
    (0.0, 16.0),
]
"""Metres and degrees."""
ZOOM = 1.1


def scenes(seed: int) -> dict[str, Scene]:
    """The room with depth as measured, and as guessed."""
    whole = make_room(seed=seed)
    camera, rng = whole.camera, np.random.default_rng(seed)
    assert whole.mesh is not None
    plate, depth = render_room(whole.mesh, camera, whole.lights)
    smooth = cv2.resize(rng.standard_normal((6, 8)).astype(np.float32), depth.shape[::-1], interpolation=cv2.INTER_CUBIC)
    measured = depth * (1 + 0.03 * rng.standard_normal()) * (1 + 0.03 * smooth / smooth.std())
    feet = standing_places(whole)
    guessed = guess_layout(plate, camera, feet, convex_hull(feet)).depth
    bare = replace(whole, mesh=None, plate=plate)
    return {
        "measured": replace(bare, depth=measured.astype(np.float32)),
        "guessed": replace(bare, depth=guessed.astype(np.float32)),
        "truth": whole,
    }


def other_camera(own: Camera, metres: float, degrees: float, *, rng: np.random.Generator) -> Camera:
    """The own camera moved or turned in a drawn direction; a moved one still looks at what was in its middle."""
    T, way = own.T_world_camera, rng.uniform(0, 2 * np.pi)
    step = T[:3, :3] @ np.array([np.cos(way), np.sin(way), 0.4 * rng.uniform(-1, 1)])
    eye = T[:3, 3] + metres * step / np.linalg.norm(step)
    aim = T[:3, 3] + 3.0 * (T[:3, 2] + np.tan(np.radians(degrees)) * (T[:3, :2] @ [np.cos(way), np.sin(way)]))
    K = own.K.copy()
    K[:2, :2] *= ZOOM
    return replace(own, K=K, T_world_camera=look_at(eye, aim))


def judge(scene: Scene, truth: Scene, camera: Camera) -> dict[str, float]:
    """Displacement of what the picture shows from where it is, pixels at ``SIZE``; share of the picture never seen."""
    assert truth.mesh is not None
    _, unseen, _, uv = bent(scene, camera)
    _, depth = render_room(truth.mesh, camera, supersample=1, shadows=False)
    points = unproject(pixel_grid(camera.height, camera.width), depth.astype(float), camera.K).reshape(-1, 3)
    own = truth.camera
    points = transform_points(invert_transform(own.T_world_camera) @ camera.T_world_camera, points)
    right = project_clamped(points, own.K, nearest=1e-3).reshape(uv.shape)
    column, row = np.moveaxis(np.clip(right, 0, [own.width - 1, own.height - 1]).astype(int), -1, 0)
    visible = np.abs(truth.depth[row, column] - points[:, 2].reshape(depth.shape)) < 0.05
    compared = visible & ~unseen & (depth > 0)
    off = np.linalg.norm(uv - right, axis=-1)[compared] * SIZE / own.height * ZOOM
    return {"median": float(np.median(off)), "p90": float(np.quantile(off, 0.9)), "unseen": float(unseen.mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=12)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(arguments.rooms):
        rooms = scenes(seed)
        for number, (metres, degrees) in enumerate(MOVES):
            camera = other_camera(rooms["truth"].camera, metres, degrees, rng=np.random.default_rng([seed, number]))
            for kind in ("measured", "guessed"):
                key = f"{kind}, {metres:g} m, {degrees:g} degrees"
                found.setdefault(key, []).append(judge(rooms[kind], rooms["truth"], camera))
    table: dict[str, Any] = {
        key: {name: round(float(np.median([row[name] for row in rows])), 3) for name in rows[0]} for key, rows in found.items()
    }
    for key in sorted(table):
        print(key, table[key])
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
