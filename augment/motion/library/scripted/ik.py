"""Rotations and inverse kinematics on SMPL's tree, vectorised over frames, NumPy in double precision."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ....geometry import axis_rotation, rotation_vector_between
from ....types import SMPL_PARENTS

Rot = Float[np.ndarray, "... 3 3"]
"""Rotation matrices; leading shapes broadcast."""
Vec = Float[np.ndarray, "... 3"]
"""Points or directions; leading shapes broadcast."""

MAX_FLEXION = np.radians(145.0)
"""Largest flexion of knees and elbows."""


def lean(pitch: float | np.ndarray = 0.0, roll: float | np.ndarray = 0.0, yaw: float | np.ndarray = 0.0) -> Rot:
    """Rotation of an upright part: ``yaw`` to its left, ``pitch`` forward, ``roll`` to its right; radians, body axes."""
    pitch, roll, yaw = np.broadcast_arrays(pitch, roll, yaw)
    return axis_rotation("y", yaw) @ axis_rotation("x", pitch) @ axis_rotation("z", roll)


def unit(vector: Vec) -> Vec:
    """Normalise vectors."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def apply(rotation: Rot, vector: Vec) -> Vec:
    """Rotate vectors; shapes broadcast."""
    return (rotation @ np.asarray(vector, float)[..., None])[..., 0]


def transpose(rotation: Rot) -> Rot:
    """Inverse of rotations."""
    return np.swapaxes(rotation, -1, -2)


def to_quaternion(rotation: Rot) -> Float[np.ndarray, "... 4"]:
    """(x, y, z, w)."""
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_quat().reshape(*rotation.shape[:-2], 4)


def from_rotvec(rotvec: Vec) -> Rot:
    """Rotation matrices of rotation vectors (radians)."""
    return Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(*rotvec.shape, 3)


def to_rotvec(rotation: Rot) -> Vec:
    """Rotation vectors (radians) of rotation matrices."""
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_rotvec().reshape(*rotation.shape[:-1])


def angle(rotation: Rot) -> Float[np.ndarray, "..."]:
    """Angle of rotations, radians."""
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).magnitude().reshape(rotation.shape[:-2])


def limited(rotation: Rot, most: float) -> Rot:
    """Limit the angle of rotations to ``most`` radians."""
    rotvec = to_rotvec(rotation)
    size = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    return from_rotvec(rotvec * np.minimum(1.0, most / np.maximum(size, 1e-9)))


def slerp(start: Rot, end: Rot, weight: Float[np.ndarray, "..."]) -> Rot:
    """Turn the short way from ``start`` (weight 0) to ``end`` (weight 1)."""
    return start @ from_rotvec(to_rotvec(transpose(start) @ end) * weight[..., None])


def frame(direction: Vec, hinge: Vec) -> Rot:
    """Columns: ``direction``, the part of ``hinge`` at right angles to it, and their cross product."""
    direction = unit(direction)
    hinge = unit(hinge - (hinge * direction).sum(-1, keepdims=True) * direction)
    return np.stack([direction, hinge, np.cross(direction, hinge)], axis=-1)


def two_bone(root: Vec, target: Vec, pole: Vec, upper: float, lower: float) -> tuple[Vec, Vec, Vec]:
    """Directions of two bones from ``root`` that end at ``target``, the middle joint towards ``pole``.

    If the target is out of reach, the chain points at it almost straight (approached smoothly); if it is too near, the chain
    bends to ``MAX_FLEXION``.

    Returns:
        Unit directions of the upper and lower bone, and the hinge axis about which flexion is positive.
    """
    offset = target - root
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    reach = upper + lower
    easy, far = 0.995 * reach, 0.999 * reach
    eased = far - (far - easy) * np.exp(-np.maximum(distance - easy, 0.0) / (far - easy))
    near = np.sqrt(upper**2 + lower**2 + 2.0 * upper * lower * np.cos(MAX_FLEXION))
    length = np.maximum(np.where(distance > easy, eased, distance), near)
    axis = unit(offset)
    bend = unit(pole - (pole * axis).sum(-1, keepdims=True) * axis)
    along = (upper**2 + length**2 - lower**2) / (2.0 * length)
    middle = axis * along + bend * np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    return middle / upper, unit(axis * length - middle), unit(np.cross(bend, axis))


def aim(direction: Vec, hinge: Vec, rest_direction: Vec, rest_hinge: Vec) -> Rot:
    """World rotation that carries a bone's rest direction and hinge axis to the wanted ones."""
    return frame(direction, hinge) @ transpose(frame(rest_direction, rest_hinge))


def between(start: Vec, end: Vec) -> Rot:
    """Smallest rotation that carries one unit vector to another."""
    return from_rotvec(rotation_vector_between(start, end))


def flexion(parent: Rot, child: Rot, axis: Vec) -> Float[np.ndarray, "..."]:
    """Signed angle (radians) of a hinge: the twist of child against parent about ``axis`` (rest frame)."""
    quaternion = to_quaternion(transpose(parent) @ child)
    quaternion = quaternion * np.sign(quaternion[..., 3:] + 1e-12)
    return 2.0 * np.arctan2((quaternion[..., :3] * axis).sum(-1), quaternion[..., 3])


def forward(rotations: Float[np.ndarray, "t 24 3 3"], rest: Float[np.ndarray, "24 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, 24, 3) with the pelvis at the origin, and world rotations (t, 24, 3, 3)."""
    positions = np.zeros((*rotations.shape[:2], 3))
    worlds = np.empty_like(rotations)
    worlds[:, 0] = rotations[:, 0]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        positions[:, joint] = positions[:, parent] + worlds[:, parent] @ (rest[joint] - rest[parent])
        worlds[:, joint] = worlds[:, parent] @ rotations[:, joint]
    return positions, worlds
