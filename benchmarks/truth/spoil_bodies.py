"""Errors of an image-to-body network added to true bodies, with a focal length of the network's own.

Errors are set so that the mean over a dozen motions is near what is published for such networks on 3DPW: WHAM 57.8 mm MPJPE
and 35.9 mm after Procrustes alignment (the second confirmed at wizwand.com's table of the paper, arXiv 2312.07531); HMR 2.0
about 70 and 45 mm. ``tests/benchmarks/test_truth.py`` checks both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from augment.body.model import Body, joints_of
from augment.geometry import axis_angle_to_matrix, invert_transform, matrix_to_axis_angle, transform_points, yaw_to_matrix
from augment.sources.people.people import People, check_people
from augment.types import SMPL_JOINTS, Camera, Motion


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyNoise:
    """Errors of a body estimator; angles in radians, standard deviations of each axis."""

    joint_white: float
    """Error of the large joints, new in every frame."""
    joint_slow: float
    """Error of the large joints, changing over ``slow_sec``."""
    root_white: float
    root_slow: float
    betas: float
    """Error of each shape coefficient through the whole clip; the shape also shrinks towards the mean by a third."""
    depth_white: float
    """Relative error of the distance, new in every frame."""
    depth_slow: float
    """Relative error of the distance, changing over ``slow_sec``."""
    depth_bias: float
    """Relative error of the distance through the whole clip."""
    place: float
    """Error of the pelvis in the picture, share of the person's extent."""
    slow_sec: float
    lost_per_sec: float
    lost_sec: float
    """Mean length of a stretch without the person."""
    flips_per_sec: float
    """Stretches seen from behind as from the front."""
    swaps_per_sec: float
    """Stretches with left and right exchanged."""
    flip_sec: float
    """Mean length of either."""


HMR2_LIKE = BodyNoise(
    joint_white=0.011, joint_slow=0.09, root_white=0.010, root_slow=0.07, betas=0.5, depth_white=0.012, depth_slow=0.03,
    depth_bias=0.06, place=0.012, slow_sec=0.6, lost_per_sec=0.08, lost_sec=0.3, flips_per_sec=0.02, swaps_per_sec=0.03,
    flip_sec=0.15,
)  # fmt: skip
"""A network for single pictures."""

WHAM_LIKE = BodyNoise(
    joint_white=0.003, joint_slow=0.073, root_white=0.003, root_slow=0.06, betas=0.5, depth_white=0.003, depth_slow=0.03,
    depth_bias=0.05, place=0.010, slow_sec=0.8, lost_per_sec=0.08, lost_sec=0.3, flips_per_sec=0.0, swaps_per_sec=0.0,
    flip_sec=0.15,
)  # fmt: skip
"""A network for video: smooth, with lasting errors."""

_QUIET = ("spine1", "spine2", "spine3", "left_collar", "right_collar")
_WEIGHT = np.array([0.0 if "hand" in name else 0.6 if name in _QUIET else 1.0 for name in SMPL_JOINTS[1:]])
"""Share of the joints' noise on each of joints 1..23: spine and collars move less, hands are not estimated."""


def spoil_bodies(
    motion: Motion,
    camera: Camera,
    body: Body,
    *,
    rng: np.random.Generator,
    noise: BodyNoise = HMR2_LIKE,
    focal: float | None = None,
    track: int = 0,
    path: Path = Path("spoiled.pkl"),
) -> People:
    """Bodies with the estimator's errors.

    Args:
        motion: The truth, world frame.
        camera: Still; the true one.
        noise: The estimator.
        focal: The focal length the estimator assumes, pixels; distances grow with it, so that the picture stays the same. The
            true one when None.
        track: Id of the person.
        path: Written into the table, for messages.
    Returns:
        One row a frame in which the person was found, camera frame, with ``K`` as the estimator assumes it.
    """
    frames, fps = len(motion), motion.fps
    orient, place = _into_camera(motion, camera, body)
    pose = axis_angle_to_matrix(torch.as_tensor(motion.body_pose, dtype=torch.float64))
    orient, pose = _flipped(orient, pose, fps, noise, rng=rng)
    wobble = noise.joint_slow * _slow((frames, 23, 3), fps, noise, rng=rng) + noise.joint_white * rng.normal(
        size=(frames, 23, 3)
    )
    pose = pose @ axis_angle_to_matrix(torch.as_tensor(wobble * _WEIGHT[:, None]))
    sway = noise.root_slow * _slow((frames, 3), fps, noise, rng=rng) + noise.root_white * rng.normal(size=(frames, 3))
    orient = orient @ axis_angle_to_matrix(torch.as_tensor(sway))
    betas = motion.betas * (2 / 3) + noise.betas * rng.normal(size=10)
    believed = camera.K.copy()
    if focal is not None:
        believed[0, 0], believed[1, 1] = focal, focal * camera.K[1, 1] / camera.K[0, 0]
    place = _misplaced(place, camera.K, believed, fps, noise, rng=rng)
    rest = np.array(body.rest_joints(betas), np.float64)[0]
    kept = np.flatnonzero(~_lost(frames, fps, noise, rng=rng))
    people = People(
        path=path, source="spoiled bodies", frame=np.arange(frames), track=np.full(frames, track),
        confidence=np.full(frames, 0.9), global_orient=matrix_to_axis_angle(orient).numpy(),
        body_pose=matrix_to_axis_angle(pose).numpy(), betas=np.repeat(betas[None], frames, axis=0), transl=place - rest,
        K=believed, width=camera.width, height=camera.height, frames=frames, fps=float(fps),
    )  # fmt: skip
    return check_people(people.take(kept))


def bodies_to_joints(people: People, camera: Camera, body: Body, *, frames: int) -> Float[np.ndarray, "t 24 3"]:
    """World joints of one person's bodies, NaN where there is none: the baseline of the fit.

    Args:
        camera: Puts the estimator's camera frame into the world.
        frames: Length of the video.
    Raises:
        ValueError: If the table has no placed bodies.
    """
    if people.global_orient is None or people.body_pose is None or people.transl is None or people.betas is None:
        raise ValueError(f"{people.path}: no placed bodies in it; global_orient, body_pose, betas and transl are needed")
    local = Motion(
        global_orient=people.global_orient, body_pose=people.body_pose, transl=people.transl, betas=people.betas.mean(axis=0),
        fps=people.fps or 1.0,
    )  # fmt: skip
    joints = np.full((frames, 24, 3), np.nan)
    joints[people.frame] = transform_points(camera.T_world_camera, joints_of(body, local).reshape(-1, 3)).reshape(-1, 24, 3)
    return joints


def _into_camera(motion: Motion, camera: Camera, body: Body) -> tuple[torch.Tensor, np.ndarray]:
    """Root rotations (t, 3, 3) and pelvis (t, 3) in the camera's frame."""
    T_camera_world = invert_transform(camera.T_world_camera)
    root = axis_angle_to_matrix(torch.as_tensor(motion.global_orient, dtype=torch.float64))
    pelvis = np.asarray(motion.transl, np.float64) + np.array(body.rest_joints(motion.betas))[0]
    return torch.as_tensor(T_camera_world[:3, :3]) @ root, transform_points(T_camera_world, pelvis)


def _misplaced(place, K, believed, fps: float, noise: BodyNoise, *, rng: np.random.Generator) -> np.ndarray:
    """The pelvis at the assumed focal length: about the same in the picture, at another distance."""
    frames = len(place)
    slow = noise.depth_slow * _slow((frames,), fps, noise, rng=rng) + noise.depth_white * rng.normal(size=frames)
    z = place[:, 2] * np.exp(slow + noise.depth_bias * rng.normal()) * believed[0, 0] / K[0, 0]
    # A person of about 1.7 m fills 1.7 / z of the focal length.
    shift = 1.7 * noise.place * (0.8 * _slow((frames, 2), fps, noise, rng=rng) + 0.6 * rng.normal(size=(frames, 2)))
    ray = (place[:, :2] + shift) / place[:, 2:] * [K[0, 0], K[1, 1]] / [believed[0, 0], believed[1, 1]]
    return np.column_stack([ray * z[:, None], z])


def _flipped(orient, pose, fps: float, noise: BodyNoise, *, rng: np.random.Generator):
    """Stretches turned front to back, and stretches with the sides exchanged."""
    orient, pose, frames = orient.clone(), pose.clone(), len(orient)
    for start, end in _stretches(frames, noise.flips_per_sec, noise.flip_sec, fps, rng=rng):
        orient[start:end] = orient[start:end] @ yaw_to_matrix(torch.tensor(np.pi, dtype=torch.float64))
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    other = [SMPL_JOINTS.index(_mirrored(name)) - 1 for name in SMPL_JOINTS[1:]]
    for start, end in _stretches(frames, noise.swaps_per_sec, noise.flip_sec, fps, rng=rng):
        pose[start:end] = mirror @ pose[start:end][:, other] @ mirror
    return orient, pose


def _mirrored(name: str) -> str:
    return name.replace("left", "right") if "left" in name else name.replace("right", "left")


def _slow(shape: tuple[int, ...], fps: float, noise: BodyNoise, *, rng: np.random.Generator) -> np.ndarray:
    """Unit noise along the first axis that changes over ``slow_sec``."""
    width = max(noise.slow_sec * fps / 2, 0.5)
    pad = round(4 * width)
    wave = gaussian_filter1d(rng.normal(size=(shape[0] + 2 * pad, *shape[1:])), width, axis=0)
    return wave[pad : pad + shape[0]] * np.sqrt(2 * np.sqrt(np.pi) * width)


def _stretches(frames: int, per_sec: float, seconds: float, fps: float, *, rng: np.random.Generator) -> list[tuple[int, int]]:
    starts = np.flatnonzero(rng.random(frames) < per_sec / fps)
    return [(int(start), int(start) + 1 + round(float(rng.exponential(seconds * fps)))) for start in starts]


def _lost(frames: int, fps: float, noise: BodyNoise, *, rng: np.random.Generator) -> np.ndarray:
    lost = np.zeros(frames, bool)
    for start, end in _stretches(frames, noise.lost_per_sec, noise.lost_sec, fps, rng=rng):
        lost[start:end] = True
    return lost if not lost.all() else np.zeros(frames, bool)
