"""Rotations, rigid transforms, and the pinhole camera: pure functions, any leading batch shape.

Rotation functions take and give torch tensors (roma does the work; double precision in, double out). ``transform_points``,
``project`` and ``invert_transform`` use only operators that NumPy arrays and torch tensors share, and return the kind they get.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from .types import SMPL_PARENTS

Array = Any
"""A NumPy array or a torch tensor; the result is of the same kind."""


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation vector (radians) to rotation matrix."""
    return roma.rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation matrix to the rotation vector (radians) with angle in [0, pi]."""
    return roma.rotmat_to_rotvec(matrix)


def matrix_to_rotation6d(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns of a rotation matrix, first column first.

    Source:
        Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks", section 4.
    """
    return torch.cat([matrix[..., :, 0], matrix[..., :, 1]], dim=-1)


def rotation6d_to_matrix(rotation6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt back from two columns to the nearest right-handed frame (inverse of ``matrix_to_rotation6d``)."""
    return roma.special_gramschmidt(torch.stack([rotation6d[..., :3], rotation6d[..., 3:]], dim=-1))


def yaw_to_matrix(yaw: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn by ``yaw`` radians about +y: +z goes towards +x."""
    up = torch.zeros(*yaw.shape, 3, dtype=yaw.dtype, device=yaw.device)
    up[..., 1] = yaw
    return axis_angle_to_matrix(up)


def heading_of(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Radians about +y, from +z, of the way a body with this root rotation faces (its local +z on the floor plane).

    For a body whose front points straight up or down the front's trace on the floor vanishes; the head-to-foot axis then
    stands in: supine, a body faces the way its feet point; prone, the way its head points (as if tipped over from standing).
    """
    front, head = rotation[..., :, 2], rotation[..., :, 1]
    steep = front[..., 1:2].abs() > 0.95
    lying = torch.where(front[..., 1:2] > 0, -head, head)
    facing = torch.where(steep, lying, front)
    return torch.atan2(facing[..., 0], facing[..., 2])


def forward_kinematics(
    rotations: Float[Tensor, "*batch 24 3 3"], rest_joints: Float[Tensor, "*#batch 24 3"]
) -> tuple[Float[Tensor, "*batch 24 3"], Float[Tensor, "*batch 24 3 3"]]:
    """Joint positions and world rotations of SMPL's tree, before the translation is added.

    Args:
        rotations: World rotation of the root, then each joint's rotation relative to its parent. Shape (*batch, 24, 3, 3).
        rest_joints: Joints in the zero pose, metres. Shape (24, 3) or (*batch, 24, 3).
    Returns:
        Joints (*batch, 24, 3), metres, the root resting at ``rest_joints[0]``; world rotations (*batch, 24, 3, 3).
    Source:
        Loper et al. 2015, "SMPL", eq. 3-4.
    """
    rest = rest_joints.expand(*rotations.shape[:-3], 24, 3)
    positions, worlds = [rest[..., 0, :]], [rotations[..., 0, :, :]]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        offset = rest[..., joint, :] - rest[..., parent, :]
        positions.append(positions[parent] + (worlds[parent] @ offset[..., None])[..., 0])
        worlds.append(worlds[parent] @ rotations[..., joint, :, :])
    return torch.stack(positions, dim=-2), torch.stack(worlds, dim=-3)


def rigid(rotation: Array, translation: Array) -> np.ndarray:
    """A (4, 4) transform from a (3, 3) rotation and a (3,) translation, NumPy."""
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = rotation, translation
    return transform


def invert_transform(T_dst_src: Array) -> Array:
    """T_src_dst of a rigid transform, shape (*batch, 4, 4), NumPy or torch."""
    rotation, translation = T_dst_src[..., :3, :3], T_dst_src[..., :3, 3:]
    inverse = T_dst_src.clone() if isinstance(T_dst_src, Tensor) else T_dst_src.copy()
    transposed = rotation.swapaxes(-1, -2)
    inverse[..., :3, :3] = transposed
    inverse[..., :3, 3:] = -(transposed @ translation)
    return inverse


def transform_points(T_dst_src: Array, points: Array) -> Array:
    """Move points from ``src`` to ``dst``.

    Args:
        T_dst_src: Shape (*batch, 4, 4).
        points: Shape (*batch, n, 3), metres.
    Returns:
        Shape (*batch, n, 3).
    """
    return points @ T_dst_src[..., :3, :3].swapaxes(-1, -2) + T_dst_src[..., None, :3, 3]


def project(points_camera: Array, K: Array) -> Array:
    """Project camera-frame points to pixels with a pinhole model.

    Args:
        points_camera: Points, OpenCV camera frame, metres. Shape (*batch, 3).
        K: Intrinsics, pixels. Shape (3, 3).
    Returns:
        (u, v) in pixels, not clipped to the image. Shape (*batch, 2).
    Raises:
        ValueError: If any z <= 0.
    Source:
        Hartley & Zisserman 2004, eq. 6.2.
    """
    if not bool((points_camera[..., 2] > 0).all()):
        raise ValueError("project: a point lies behind the camera (z <= 0); cull points before projecting")
    homogeneous = points_camera @ K.swapaxes(-1, -2)
    return homogeneous[..., :2] / homogeneous[..., 2:]


def unproject(pixels: Array, z: Array, K: Array) -> Array:
    """Pixels and z-depth back to camera-frame points (inverse of ``project``).

    Args:
        pixels: (u, v), pixels. Shape (*batch, 2).
        z: z-depth, metres. Shape (*batch).
        K: Intrinsics without skew, pixels. Shape (3, 3).
    Returns:
        Shape (*batch, 3), metres, OpenCV camera frame.
    """
    x = (pixels[..., 0] - K[0, 2]) / K[0, 0] * z
    y = (pixels[..., 1] - K[1, 2]) / K[1, 1] * z
    return torch.stack([x, y, z], dim=-1) if isinstance(z, Tensor) else np.stack([x, y, z], axis=-1)


def look_at(eye: Array, target: Array) -> np.ndarray:
    """T_world_camera (4, 4) of an upright OpenCV camera at ``eye`` looking at ``target`` (both (3,), world, metres).

    Raises:
        ValueError: If the camera would look straight up or down (no upright roll exists).
    """
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    if np.linalg.norm(right) < 1e-6:
        raise ValueError(f"look_at: {eye} to {target} is vertical, so 'upright' is undefined; move either point sideways")
    right /= np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Centres of all pixels, (h, w, 2) as (u, v)."""
    v, u = np.mgrid[:height, :width] + 0.5
    return np.stack([u, v], axis=-1)


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Whether 2D points lie inside a simple polygon (even-odd rule).

    Args:
        points: Shape (*batch, 2).
        polygon: Shape (n, 2), in either direction.
    Returns:
        Shape (*batch,), bool.
    """
    inside = np.zeros(points.shape[:-1], bool)
    x, y = points[..., 0], points[..., 1]
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside
