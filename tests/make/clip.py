"""A short clip filmed by us, with the files that estimators would write about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.reconstruct.bodies.config import FitConfig
from augment.reconstruct.camera.given import Given
from augment.reconstruct.config import Inputs, ReconstructConfig
from augment.reconstruct.people import Reconstruction
from augment.reconstruct.pipeline import reconstruct
from augment.shards.video_codec import decode_video, encode_video
from augment.sources.people.people import People
from benchmarks.truth.maker import Truth, film_truth, make_truth, write_mediapipe
from benchmarks.truth.spoil_bodies import WHAM_LIKE, spoil_bodies
from benchmarks.truth.spoil_depth import spoil_depth

STEPS = (15, 20, 30)
"""Iterations of a fit that is only just good enough to be judged."""


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
    def given(self) -> Given:
        """Stature, focal length, height and pitch as they are."""
        T = self.truth.camera.T_world_camera
        return Given(
            person_height=self.truth.heights()[0], focal=float(self.truth.camera.K[0, 0]), camera_height=float(T[1, 3]),
            pitch=float(np.degrees(np.arcsin(-T[1, 2]))),
        )  # fmt: skip


def make_clip(folder: Path) -> Clip:
    """Film the clip and write its keypoints, bodies and depth, each with an estimator's errors."""
    from augment.raster.rasterize import make_rasterizer

    truth = make_truth(1, "walk", seconds=3.0, fps=10.0, size=(320, 240))
    made = Clip(film_truth(truth, folder / "clip.mp4", rng=np.random.default_rng(0)), folder)
    truth = made.truth
    write_mediapipe(truth.detections("mediapipe33", rng=np.random.default_rng(1), strength=0.5), made.keypoints)
    bodies = spoil_bodies(
        truth.motions[0], truth.camera, truth.body, rng=np.random.default_rng(2), noise=WHAM_LIKE, focal=400.0
    )  # WHAM takes the diagonal for the focal length
    write_wham(bodies, made.hmr)
    frames, rasterizer = np.arange(0, 30, 4), make_rasterizer("compiled")
    depth = np.stack([truth.depth_with_people(int(frame), rasterizer=rasterizer) for frame in frames])
    spoiled = spoil_depth(depth, rng=np.random.default_rng(3), outliers=0.05)
    np.savez(made.depth, disparity=spoiled.values, frame=frames)
    return made


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


def respelled(clip: Clip, path: Path, change) -> Path:
    """The clip's keypoint file with its array changed."""
    with np.load(clip.keypoints) as data:
        arrays = dict(data)
    arrays["landmarks2d"] = change(arrays["landmarks2d"].copy())
    np.savez(path, **arrays)
    return path


def refilmed(clip: Clip, path: Path, change) -> Path:
    """The clip's video with its pictures changed."""
    frames = change(decode_video(clip.video.read_bytes())[0])
    path.write_bytes(encode_video(np.ascontiguousarray(frames), fps=10.0))
    return path


def config_of(clip: Clip, **changes: Any) -> ReconstructConfig:
    fields = {"given": clip.given, "fit": FitConfig(iterations=STEPS), "max_overlays": 0}
    return ReconstructConfig(**(fields | changes))


def reconstruct_clip(clip: Clip, out: Path, *inputs: Inputs, segments: Any = None, **changes: Any) -> Reconstruction:
    return reconstruct(inputs, out, config=config_of(clip, **changes), segments=segments)


def off(clip: Clip, result: Reconstruction) -> float:
    """MPJPE of the one person, metres."""
    (person,) = result.people
    return float(np.linalg.norm(person.joints - clip.truth.joints[0][person.frames], axis=-1).mean())
