"""Recovery of real depth pictures from disparity under an unknown affine map, with a body placed in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from augment.body.model import load_body, pose_body
from augment.motion.library.scripted.act import make_action
from augment.placement.place import move_motion
from augment.raster.rasterize import make_rasterizer
from augment.reconstruct.depth.from_rgbd import scene_from_depth
from augment.reconstruct.depth.fuse import fuse_depth
from augment.reconstruct.depth.scale import fit_disparity
from augment.sources.depth.rgbd import read_color, read_depth, read_intrinsics
from augment.types import Scene, SceneMesh
from benchmarks.known_truth import HeldMaps
from benchmarks.truth.spoil_depth import spoil_depth

ERROR = 0.03
"""Relative error of the placed bodies' distance, drawn for each frame, about that of fitted bodies."""


def scenes(folder: Path) -> dict[str, Scene]:
    """The depth camera's own frames in which a floor is found."""
    K, _, _ = read_intrinsics(folder / "camera_primesense.json")
    found = {}
    for path in sorted((folder / "depth").glob("*.png")):
        try:
            color = read_color(folder / "color" / f"{path.stem}.jpg")
            found[path.stem] = scene_from_depth(color, read_depth(path), K, name=path.stem)
        except ValueError:  # no floor in view: nobody can stand there
            continue
    return found


def judge_scene(name: str, scene: Scene, *, outliers: tuple[float, ...], frames: int = 12) -> dict[str, Any]:
    """Median relative error of the recovered depth at each share of outliers, a walking body standing in the depth picture."""
    seed = sum(map(ord, name))
    rng = np.random.default_rng([seed, 0])
    bodies = _walkers(scene, frames, rng=rng)
    stack = np.stack([np.where((z > 0) & ((scene.depth == 0) | (z < scene.depth)), z, scene.depth) for z in bodies])
    masks = [z > 0 for z in bodies]
    result: dict[str, Any] = {"name": name, "body share": float(np.mean(masks))}
    for share in outliers:
        spoiled = spoil_depth(stack, rng=np.random.default_rng([seed, 1]), outliers=share)
        maps = HeldMaps(frame=np.arange(frames), values=spoiled.values)
        error = np.exp(ERROR * np.random.default_rng([seed, 2]).normal(size=frames))
        try:
            fit = fit_disparity(
                maps, [(i, (z * e).astype(np.float32)) for i, (z, e) in enumerate(zip(bodies, error, strict=True))],
                rng=np.random.default_rng([seed, 3]),
            )  # fmt: skip
        except ValueError as refusal:
            result[f"{share:.2f}"] = {"refused": str(refusal)}
            continue
        fused, _ = fuse_depth(maps, fit, lambda frame: masks[frame])
        both = (fused > 0) & (scene.depth > 0)
        result[f"{share:.2f}"] = {
            "error": float(np.median(np.abs(fused[both] / scene.depth[both] - 1))), "inlier_ratio": float(fit.inlier_ratio),
            "covered": float(both.sum() / (scene.depth > 0).sum()),
        }  # fmt: skip
    return result


def _walkers(scene: Scene, frames: int, *, rng: np.random.Generator) -> list[Float32[np.ndarray, "h w"]]:
    """z-buffers of a person at places spread over the seen floor, nearer and farther."""
    body, rasterizer, camera = load_body(), make_rasterizer("auto"), scene.camera
    motion = make_action("walk", rng=rng, body=body, fps=10.0, seconds=frames / 10.0 + 0.2)
    low, high = np.percentile(scene.floor, 10, axis=0), np.percentile(scene.floor, 90, axis=0)
    result = []
    for frame in range(frames):
        x, z = rng.uniform(low, high)
        moved = move_motion(motion, float(rng.uniform(-np.pi, np.pi)), np.zeros(3), body)
        vertices, joints = pose_body(body, moved, slice(frame, frame + 1))
        shift = np.array([x, 0.0, z]) - joints[0, 0] * [1, 0, 1]
        grey = np.full((len(vertices[0]), 3), 128, np.uint8)
        _, depth = rasterizer.render_mesh(
            SceneMesh(vertices=(vertices[0] + shift).astype(np.float32), faces=body.faces, colors=grey), camera, lights=None
        )
        result.append(np.where((scene.depth == 0) | (depth < scene.depth + 0.05), depth, 0).astype(np.float32))
    return result
