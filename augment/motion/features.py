"""Motion as feature vectors for networks, and the inverse.

The 295 features of a frame, in this order (``FEATURES`` has the slices):

===========  ====  ==================================================================================
root            3  the pelvis, metres
orient          6  root rotation, 6D, including the heading, which is undefined for a lying body
joints         72  the 24 joints, metres (the pelvis among them)
velocities     72  forward differences of the joints, metres a second; the last frame repeats
body          138  rotations of joints 1..23 relative to their parents, 6D
contacts        4  left ankle, left foot, right ankle, right foot; 1 = contact
===========  ====  ==================================================================================

The frame is canonical: +y up and the floor at y = 0 as in the world, the first frame's pelvis over the origin, and the first
frame facing +z as ``geometry.heading_of`` defines it. The inverse uses root and rotations alone, so it is exact and needs only
the rest position of the pelvis. Functions take any leading batch shape unless they take a ``Motion``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import (
    axis_angle_to_matrix,
    forward_kinematics,
    heading_of,
    matrix_to_axis_angle,
    matrix_to_rotation6d,
    rotation6d_to_matrix,
    yaw_to_matrix,
)
from ..types import SMPL_JOINTS, Motion
from .contacts import foot_contacts

FEATURES: dict[str, slice] = {
    "root": slice(0, 3),
    "orient": slice(3, 9),
    "joints": slice(9, 81),
    "velocities": slice(81, 153),
    "body": slice(153, 291),
    "contacts": slice(291, 295),
}
"""Slice of each part of the feature vector."""

FEATURE_DIM = 295
"""Features per frame."""

_SWAP = {"left": "right", "right": "left"}
MIRROR_JOINTS: tuple[int, ...] = tuple(
    SMPL_JOINTS.index("_".join([_SWAP.get(name.split("_")[0], name.split("_")[0]), *name.split("_")[1:]]))
    for name in SMPL_JOINTS
)
"""For each joint, its mirror joint."""


def features_to_rotations(
    features: Float[Tensor, "*batch t d"],
) -> tuple[Float[Tensor, "*batch t 24 3 3"], Float[Tensor, "*batch t 3"]]:
    """Rotations (root in the world, joints relative to their parents) and the pelvis, metres. Further channels are ignored."""
    body = features[..., FEATURES["body"]].unflatten(-1, (23, 6))
    sixes = torch.cat([features[..., None, FEATURES["orient"]], body], dim=-2)
    return rotation6d_to_matrix(sixes), features[..., FEATURES["root"]]


def pose_joints(
    rotations: Float[Tensor, "*batch t 24 3 3"], root: Float[Tensor, "*batch t 3"], rest_joints: Float[Tensor, "*#batch 24 3"]
) -> Float[Tensor, "*batch t 24 3"]:
    """Joints, metres, by forward kinematics with the pelvis at ``root``."""
    rest = (rest_joints - rest_joints[..., :1, :])[..., None, :, :]
    return forward_kinematics(rotations, rest)[0] + root[..., None, :]


def velocities_of(joints: Float[Tensor, "*batch t 24 3"], *, fps: float) -> Float[Tensor, "*batch t 24 3"]:
    """Forward differences, metres a second; the last frame repeats the one before (zero for a single frame)."""
    if joints.shape[-3] < 2:
        return torch.zeros_like(joints)
    steps = (joints[..., 1:, :, :] - joints[..., :-1, :, :]) * fps
    return torch.cat([steps, steps[..., -1:, :, :]], dim=-3)


def canonical_start(features: Float[Tensor, "*batch t d"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
    """Heading (radians about +y) of the first frame, and the point on the floor below its pelvis (metres)."""
    first = features[..., 0, :]
    origin = first[..., FEATURES["root"]] * torch.tensor([1.0, 0.0, 1.0], dtype=first.dtype)
    return heading_of(rotation6d_to_matrix(first[..., FEATURES["orient"]])), origin


def move_features(
    features: Float[Tensor, "*batch t d"], yaw: Float[Tensor, "*batch"], offset: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch t d"]:
    """Turn by ``yaw`` radians about +y through the origin, then shift by ``offset`` metres. Channels past 295 are kept."""
    turn = yaw_to_matrix(yaw)[..., None, :, :]
    shift = offset[..., None, None, :]
    moved = features.clone()

    def turned(part: str) -> Tensor:
        vectors = features[..., FEATURES[part]].unflatten(-1, (-1, 3))
        return vectors @ turn.transpose(-1, -2)

    moved[..., FEATURES["root"]] = (turned("root") + shift).flatten(-2)
    moved[..., FEATURES["joints"]] = (turned("joints") + shift).flatten(-2)
    moved[..., FEATURES["velocities"]] = turned("velocities").flatten(-2)
    moved[..., FEATURES["orient"]] = turned("orient").flatten(-2)  # 6D is two columns, each a world vector
    return moved


def canonicalise(features: Float[Tensor, "*batch t d"]) -> Float[Tensor, "*batch t d"]:
    """Move features to the canonical start: first pelvis over the origin, facing +z."""
    yaw, origin = canonical_start(features)
    back = yaw_to_matrix(-yaw)
    return move_features(features, -yaw, -(back @ origin[..., None])[..., 0])


def mirror_features(features: Float[Tensor, "*batch t d"]) -> Float[Tensor, "*batch t d"]:
    """Mirror a motion in x = 0; left and right joints are swapped. Channels past 295 are kept.

    A rotation R becomes S R S with S = diag(-1, 1, 1): in 6D the first column is reflected and negated, the second reflected.
    """
    flip = torch.tensor([-1.0, 1.0, 1.0], dtype=features.dtype)
    flip6 = torch.cat([-flip, flip])
    mirrored = features.clone()
    mirrored[..., FEATURES["root"]] = features[..., FEATURES["root"]] * flip
    mirrored[..., FEATURES["orient"]] = features[..., FEATURES["orient"]] * flip6
    for part in ("joints", "velocities"):
        vectors = features[..., FEATURES[part]].unflatten(-1, (24, 3))
        mirrored[..., FEATURES[part]] = mirror_joints(vectors).flatten(-2)
    body = features[..., FEATURES["body"]].unflatten(-1, (23, 6))
    mirrored[..., FEATURES["body"]] = (body[..., [joint - 1 for joint in MIRROR_JOINTS[1:]], :] * flip6).flatten(-2)
    mirrored[..., FEATURES["contacts"]] = features[..., FEATURES["contacts"]][..., [2, 3, 0, 1]]
    return mirrored


def mirror_joints(joints: Float[Tensor, "*batch 24 3"]) -> Float[Tensor, "*batch 24 3"]:
    """Mirror joints in x = 0, metres; sides are swapped."""
    return joints[..., list(MIRROR_JOINTS), :] * torch.tensor([-1.0, 1.0, 1.0], dtype=joints.dtype, device=joints.device)


def motion_to_features(
    motion: Motion, rest_joints: Float[np.ndarray, "24 3"]
) -> tuple[Float[Tensor, "t 295"], Float[np.ndarray, "4 4"]]:
    """Features of a motion from the canonical start, in double precision.

    Args:
        motion: World frame.
        rest_joints: Joints of the motion's body in the zero pose, metres.
    Returns:
        Features, and ``T_world_canonical``, which takes the features' frame to the motion's world.
    """
    axis_angles = np.concatenate([np.asarray(motion.global_orient)[:, None], np.asarray(motion.body_pose)], axis=1)
    rotations = axis_angle_to_matrix(torch.as_tensor(axis_angles, dtype=torch.float64))
    rest = torch.as_tensor(np.array(rest_joints), dtype=torch.float64)
    root = torch.as_tensor(np.asarray(motion.transl), dtype=torch.float64) + rest[0]
    joints = pose_joints(rotations, root, rest)
    contacts = torch.as_tensor(np.asarray(foot_contacts(joints.numpy(), motion.fps)), dtype=torch.float64)
    features = torch.cat(
        [
            root,
            matrix_to_rotation6d(rotations[:, 0]),
            joints.flatten(-2),
            velocities_of(joints, fps=motion.fps).flatten(-2),
            matrix_to_rotation6d(rotations[:, 1:]).flatten(-2),
            contacts,
        ],
        dim=-1,
    )
    yaw, origin = canonical_start(features)
    T_world_canonical = np.eye(4)
    T_world_canonical[:3, :3] = yaw_to_matrix(yaw).numpy()
    T_world_canonical[:3, 3] = origin.numpy()
    return canonicalise(features), T_world_canonical


def features_to_motion(
    features: Float[Tensor, "t d"],
    rest_joints: Float[np.ndarray, "24 3"],
    *,
    betas: Float[np.ndarray, "10"],
    fps: float,
    **fields: Any,
) -> Motion:
    """The motion of a feature sequence, in the features' frame; joints, velocities and contacts are not used.

    Args:
        features: Metres; channels past 295 are ignored.
        rest_joints: Joints of the body in the zero pose, metres.
        betas: That body's shape.
        fps: Frames a second.
        fields: Further fields of ``Motion`` (action, segments, ...).
    """
    rotations, root = features_to_rotations(features.detach().to(torch.float64))
    axis_angles = matrix_to_axis_angle(rotations).numpy().astype(np.float32)
    return Motion(
        global_orient=axis_angles[:, 0],
        body_pose=axis_angles[:, 1:],
        transl=(root.numpy() - np.asarray(rest_joints)[0]).astype(np.float32),
        betas=np.asarray(betas),
        fps=fps,
        **fields,
    )
