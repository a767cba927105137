"""A short clip we filmed ourselves, with everything estimators would say of it: made once for all tests of the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.sources.people.people import People
from benchmarks.truth.maker import Truth, film_truth, make_truth, write_mediapipe


@dataclass(frozen=True)
class Clip:
    """Three seconds of somebody walking, 320x240, ten frames a second."""

    truth: Truth
    folder: Path

    @property
    def video(self) -> Path:
        return self.folder / "clip.mp4"

    @property
    def keypoints(self) -> Path:
        return self.folder / "clip.npz"

    @property
    def hmr(self) -> Path:
        return self.folder / "clip.pkl"

    @property
    def depth(self) -> Path:
        return self.folder / "clip_depth.npz"

    @property
    def camera_given(self) -> dict[str, float]:
        """Focal length, height and pitch (radians) as they are."""
        T = self.truth.camera.T_world_camera
        return {
            "focal": float(self.truth.camera.K[0, 0]), "height": float(T[1, 3]), "pitch": float(np.arcsin(-T[1, 2])),
        }  # fmt: skip


def write_wham(people: People, path: Path) -> Path:
    """One person's bodies as WHAM writes them."""
    import joblib

    assert people.global_orient is not None
    assert people.body_pose is not None
    pose = np.concatenate([people.global_orient, people.body_pose.reshape(len(people), -1)], axis=1)
    person: dict[str, Any] = {
        "pose": pose, "trans": people.transl, "pose_world": pose * 0, "trans_world": people.transl, "betas": people.betas,
        "verts": np.zeros((len(people), 4, 3), np.float32), "frame_ids": people.frame,
    }  # fmt: skip
    joblib.dump({0: person}, path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Clip:
    from augment.raster.rasterize import make_rasterizer
    from benchmarks.truth.spoil_bodies import WHAM_LIKE, spoil_bodies
    from benchmarks.truth.spoil_depth import spoil_depth

    folder = tmp_path_factory.mktemp("clip")
    truth = make_truth(1, "walk", seconds=3.0, fps=10.0, size=(320, 240))
    made = Clip(film_truth(truth, folder / "clip.mp4", rng=np.random.default_rng(0)), folder)
    truth = made.truth
    write_mediapipe(truth.detections("mediapipe33", rng=np.random.default_rng(1), strength=0.5), made.keypoints)
    bodies = spoil_bodies(
        truth.motions[0], truth.camera, truth.body, rng=np.random.default_rng(2), noise=WHAM_LIKE, focal=400.0
    )  # WHAM takes the diagonal for the focal length
    write_wham(bodies, made.hmr)
    frames, rasterizer = np.arange(0, 30, 4), make_rasterizer("software")
    depth = np.stack([truth.depth_with_people(int(frame), rasterizer=rasterizer) for frame in frames])
    spoiled = spoil_depth(depth, rng=np.random.default_rng(3), outliers=0.05)
    np.savez(made.depth, disparity=spoiled.values, frame=frames)
    return made
