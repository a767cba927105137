"""Rotations, rigid transforms, and the pinhole camera: pure functions, any leading batch shape.

Functions of rotation matrices take and return torch tensors (roma does the work; double precision in, double out), except
those that say NumPy. Functions annotated ``Array`` take NumPy arrays or torch tensors and return the kind they get.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .lens import distort
from .types import SMPL_PARENTS, Camera, Lens

Array = Any
"""A NumPy array or a torch tensor; the result is of the same kind."""


def _roma() -> Any:
    # Imported by whoever needs it: it takes torch's compiler along, 2 s.
    import roma

    return roma


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation vector (radians) to rotation matrix."""
    return _roma().rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation matrix to the rotation vector (radians) with angle in [0, pi]."""
    return _roma().rotmat_to_rotvec(matrix)


def matrix_to_rotation6d(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns of a rotation matrix, first column first.

    Source:
        Zhou et al. 2019, "On the Continuity of Rotation Representations in Neural Networks", section 4.
    """
    return torch.cat([matrix[..., :, 0], matrix[..., :, 1]], dim=-1)


def rotation6d_to_matrix(rotation6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt back from two columns to the nearest right-handed frame (inverse of ``matrix_to_rotation6d``)."""
    return _roma().special_gramschmidt(torch.stack([rotation6d[..., :3], rotation6d[..., 3:]], dim=-1))


def yaw_to_matrix(yaw: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn by ``yaw`` radians about +y: +z goes towards +x."""
    up = torch.zeros(*yaw.shape, 3, dtype=yaw.dtype, device=yaw.device)
    up[..., 1] = yaw
    return axis_angle_to_matrix(up)


def axis_rotation(axis: str, angle: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch 3 3"]:
    """Right-handed rotation about ``x``, ``y`` or ``z`` by ``angle`` radians, NumPy."""
    angle = np.asarray(angle, float)
    fixed = "xyz".index(axis)
    first, second = (fixed + 1) % 3, (fixed + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[..., fixed, fixed] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., first, second], matrix[..., second, first] = -sine, sine
    return matrix


def turn_about_y(points: Float[np.ndarray, "*batch d"], yaw: float) -> Float[np.ndarray, "*batch d"]:
    """Points (x, z) or (x, y, z) rotated by ``yaw`` radians about +y through the origin (+z goes towards +x), NumPy."""
    points = np.asarray(points, np.float64)
    sine, cosine = np.sin(yaw), np.cos(yaw)
    x, z = points[..., 0], points[..., -1]
    return np.stack([cosine * x + sine * z, *np.moveaxis(points[..., 1:-1], -1, 0), -sine * x + cosine * z], axis=-1)


def heading_vector(yaw: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch 3"]:
    """Horizontal unit vector ``yaw`` radians about +y from +z, NumPy."""
    return np.stack([np.sin(yaw), np.zeros_like(np.asarray(yaw, float)), np.cos(yaw)], axis=-1)


def slerp(
    start: Float[Tensor, "*batch 3 3"], end: Float[Tensor, "*batch 3 3"], weight: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Rotation on the shorter way from ``start`` (weight 0) to ``end`` (weight 1), at constant speed."""
    step = _roma().rotmat_to_rotvec(start.transpose(-1, -2) @ end)
    return start @ _roma().rotvec_to_rotmat(weight[..., None] * step)


def rotation_vector_between(start: Array, end: Array) -> Array:
    """Rotation vector (radians) of the smallest rotation between unit vectors (*batch, 3), NumPy or torch."""
    if isinstance(start, Tensor):
        axis = torch.linalg.cross(start, end)
        sine = axis.norm(dim=-1, keepdim=True)
        return axis / sine.clamp_min(1e-12) * torch.atan2(sine, (start * end).sum(-1, keepdim=True))
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    return axis / np.maximum(sine, 1e-12) * np.arctan2(sine, (start * end).sum(-1, keepdims=True))


def heading_of(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Heading of a body with this root rotation (its local +z on the floor plane), radians about +y from +z.

    If the front points straight up or down, the head-to-foot axis is used instead: supine, a body faces the way its feet
    point; prone, the way its head points (as if tipped over from standing).
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


def project(points_camera: Array, K: Array, lens: Lens | None = None) -> Array:
    """Project camera-frame points to pixels with a pinhole model, or through a lens.

    Args:
        points_camera: Points, OpenCV camera frame, metres. Shape (*batch, 3).
        K: Intrinsics, pixels. Shape (3, 3).
        lens: NumPy only.
    Returns:
        (u, v) in pixels, not clipped to the image. Shape (*batch, 2).
    Raises:
        ValueError: If any z <= 0.
    Source:
        Hartley & Zisserman 2004, eq. 6.2.
    """
    if not bool((points_camera[..., 2] > 0).all()):
        raise ValueError("project: a point lies behind the camera (z <= 0); cull points before projecting")
    if lens is not None:
        points_camera = _bent(points_camera / points_camera[..., 2:], lens)
    homogeneous = points_camera @ K.swapaxes(-1, -2)
    return homogeneous[..., :2] / homogeneous[..., 2:]


def _bent(points: Float[np.ndarray, "*batch 3"], lens: Lens) -> Float[np.ndarray, "*batch 3"]:
    """Points at z = 1, moved to where the lens puts them."""
    return np.concatenate([distort(points[..., :2], lens), points[..., 2:]], axis=-1)


def project_clamped(points_camera: Array, K: Array, *, nearest: float, lens: Lens | None = None) -> Array:
    """``project`` for points that may lie behind the camera: those with z < ``nearest`` are projected as if z were ``nearest``.

    Args:
        points_camera: Points, OpenCV camera frame, metres. Shape (*batch, 3).
        K: Intrinsics without skew, pixels. Shape (3, 3).
        nearest: Smallest z to divide by, metres, > 0.
        lens: NumPy only.
    Returns:
        (u, v) in pixels, not clipped to the image; far outside it for most points behind the camera. Shape (*batch, 2).
    """
    z = points_camera[..., 2].clip(min=nearest)
    if lens is not None:
        points_camera, z = (
            _bent(np.concatenate([points_camera[..., :2], z[..., None]], -1) / z[..., None], lens),
            np.ones(z.shape),
        )
    uv = [points_camera[..., k] / z * K[k, k] + K[k, 2] for k in (0, 1)]
    return torch.stack(uv, dim=-1) if isinstance(points_camera, Tensor) else np.stack(uv, axis=-1)


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


def pixel_rays(pixels: Float[np.ndarray, "*batch 2"], camera: Camera) -> Float[np.ndarray, "*batch 3"]:
    """Directions of a fixed camera's rays through pixels, world axes; ``origin + z * ray`` is the point at z-depth ``z``."""
    rays = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1) @ np.linalg.inv(camera.K).T
    return rays @ camera.T_world_camera[:3, :3].T


def depth_to_floor(rays: Float[np.ndarray, "*batch 3"], height: float) -> Float[np.ndarray, "*batch"]:
    """z-depth at which rays (see ``pixel_rays``) from ``height`` metres up meet the floor; inf where they do not descend."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(rays[..., 1] < 0, -height / rays[..., 1], np.inf)


def floor_points(pixels: Float[np.ndarray, "*batch 2"], camera: Camera) -> Float[np.ndarray, "*batch 2"]:
    """Where the rays through pixels meet the floor, world (x, z), metres; NaN for rays that do not descend."""
    rays = pixel_rays(pixels, camera)
    depth = depth_to_floor(rays, camera.T_world_camera[1, 3])
    depth = np.where(np.isfinite(depth), depth, np.nan)
    return (camera.T_world_camera[:3, 3] + depth[..., None] * rays)[..., [0, 2]]


def quantile(values: Float[np.ndarray, " n"], share: float) -> float:
    """``np.quantile`` of a few numbers, which takes ten times as long to call."""
    ordered, at = np.sort(values), share * (len(values) - 1)
    low = int(at)
    return float(ordered[low] + (at - low) * (ordered[min(low + 1, len(values) - 1)] - ordered[low]))


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
