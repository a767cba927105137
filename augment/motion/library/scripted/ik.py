"""Rotations and inverse kinematics on SMPL's tree, vectorised over frames, NumPy in double precision."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ....compiled import compiled
from ....geometry import axis_rotation, rotation_vector_between
from ....types import SMPL_PARENTS

Rot = Float[np.ndarray, "... 3 3"]
"""Rotation matrices; leading shapes broadcast."""
Vec = Float[np.ndarray, "... 3"]
"""Points or directions; leading shapes broadcast."""

SMALL = 1e-9
"""Shortest length that is divided by."""
MAX_FLEXION = np.radians(145.0)
"""Largest flexion of knees and elbows."""


def lean(pitch: float | np.ndarray = 0.0, roll: float | np.ndarray = 0.0, yaw: float | np.ndarray = 0.0) -> Rot:
    """Rotation of an upright part: ``yaw`` to its left, ``pitch`` forward, ``roll`` to its right; radians, body axes."""
    pitch, roll, yaw = np.broadcast_arrays(pitch, roll, yaw)
    return axis_rotation("y", yaw) @ axis_rotation("x", pitch) @ axis_rotation("z", roll)


def unit(vector: Vec) -> Vec:
    """Normalise vectors."""
    return vector / np.maximum(np.sqrt((vector * vector).sum(-1, keepdims=True)), SMALL)


def apply(rotation: Rot, vector: Vec) -> Vec:
    """Rotate vectors; shapes broadcast."""
    return (rotation @ np.asarray(vector, float)[..., None])[..., 0]


def transpose(rotation: Rot) -> Rot:
    """Inverse of rotations."""
    return np.swapaxes(rotation, -1, -2)


def to_quaternion(rotation: Rot) -> Float[np.ndarray, "... 4"]:
    """(x, y, z, w)."""
    out = np.empty((*rotation.shape[:-2], 4))
    _quaternions(rotation.reshape(-1, 3, 3), out.reshape(-1, 4))
    return out


def from_rotvec(rotvec: Vec) -> Rot:
    """Rotation matrices of rotation vectors (radians)."""
    out = np.empty((*rotvec.shape, 3))
    _matrices(rotvec.reshape(-1, 3), out.reshape(-1, 3, 3))
    return out


def to_rotvec(rotation: Rot) -> Vec:
    """Rotation vectors (radians) of rotation matrices."""
    quaternion = to_quaternion(rotation)
    quaternion = np.where(quaternion[..., 3:] < 0.0, -quaternion, quaternion)
    sine = np.sqrt((quaternion[..., :3] ** 2).sum(-1, keepdims=True))
    scale = np.where(sine > SMALL, 2.0 * np.arctan2(sine, quaternion[..., 3:]) / np.maximum(sine, SMALL), 2.0)
    return quaternion[..., :3] * scale


def angle(rotation: Rot) -> Float[np.ndarray, "..."]:
    """Angle of rotations, radians."""
    quaternion = to_quaternion(rotation)
    return 2.0 * np.arctan2(np.sqrt((quaternion[..., :3] ** 2).sum(-1)), np.abs(quaternion[..., 3]))


def limited(rotation: Rot, most: float) -> Rot:
    """Limit the angle of rotations to ``most`` radians."""
    rotvec = to_rotvec(rotation)
    size = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    return from_rotvec(rotvec * np.minimum(1.0, most / np.maximum(size, 1e-9)))


def cross(a: Vec, b: Vec) -> Vec:
    """Cross product; several times faster than NumPy's for a few hundred vectors."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        out[..., axis] = a[..., u] * b[..., v] - a[..., v] * b[..., u]
    return out


def slerp(start: Rot, end: Rot, weight: Float[np.ndarray, "..."]) -> Rot:
    """Turn the short way from ``start`` (weight 0) to ``end`` (weight 1)."""
    return start @ from_rotvec(to_rotvec(transpose(start) @ end) * weight[..., None])


def frame(direction: Vec, hinge: Vec) -> Rot:
    """Columns: ``direction``, the part of ``hinge`` at right angles to it, and their cross product."""
    direction, hinge = np.asarray(direction, float), np.asarray(hinge, float)
    if direction.shape != hinge.shape:
        direction, hinge = np.broadcast_arrays(direction, hinge)
    out = np.empty((*direction.shape, 3))
    _frame(direction.reshape(-1, 3), hinge.reshape(-1, 3), out.reshape(-1, 3, 3))
    return out


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
    return middle / upper, unit(axis * length - middle), unit(cross(bend, axis))


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
    worlds = np.empty(rotations.shape)
    _forward(rotations, rest, np.array(SMPL_PARENTS), positions, worlds)
    return positions, worlds


@compiled
def _forward(rotations, rest, parents, positions, worlds):
    for frame in range(len(rotations)):
        worlds[frame, 0] = rotations[frame, 0]
        for joint in range(1, len(parents)):
            parent = parents[joint]
            turn, local = worlds[frame, parent], rotations[frame, joint]
            for row in range(3):
                a, b, c = turn[row, 0], turn[row, 1], turn[row, 2]
                x, y, z = rest[joint, 0] - rest[parent, 0], rest[joint, 1] - rest[parent, 1], rest[joint, 2] - rest[parent, 2]
                positions[frame, joint, row] = positions[frame, parent, row] + (a * x + b * y + c * z)
                for column in range(3):
                    worlds[frame, joint, row, column] = a * local[0, column] + b * local[1, column] + c * local[2, column]


@compiled
def _frame(direction, hinge, out):
    for row in range(len(out)):
        dx, dy, dz = direction[row, 0], direction[row, 1], direction[row, 2]
        size = max(math.sqrt(dx * dx + dy * dy + dz * dz), SMALL)
        dx, dy, dz = dx / size, dy / size, dz / size
        hx, hy, hz = hinge[row, 0], hinge[row, 1], hinge[row, 2]
        along = hx * dx + hy * dy + hz * dz
        hx, hy, hz = hx - along * dx, hy - along * dy, hz - along * dz
        size = max(math.sqrt(hx * hx + hy * hy + hz * hz), SMALL)
        hx, hy, hz = hx / size, hy / size, hz / size
        out[row, 0, 0], out[row, 1, 0], out[row, 2, 0] = dx, dy, dz
        out[row, 0, 1], out[row, 1, 1], out[row, 2, 1] = hx, hy, hz
        out[row, 0, 2], out[row, 1, 2], out[row, 2, 2] = dy * hz - dz * hy, dz * hx - dx * hz, dx * hy - dy * hx


@compiled
def _quaternions(rotation, out):
    # The largest of the four components first: no division by a small number.
    for row in range(len(out)):
        m, q = rotation[row], out[row]
        trace = m[0, 0] + m[1, 1] + m[2, 2]
        i = 0 if m[0, 0] >= m[1, 1] and m[0, 0] >= m[2, 2] else 1 if m[1, 1] >= m[2, 2] else 2
        if trace > m[i, i]:
            q[0], q[1], q[2] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
            q[3] = 1.0 + trace
        else:
            j, k = (i + 1) % 3, (i + 2) % 3
            q[i], q[j], q[k] = 1.0 - trace + 2.0 * m[i, i], m[j, i] + m[i, j], m[k, i] + m[i, k]
            q[3] = m[k, j] - m[j, k]
        size = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
        for axis in range(4):
            q[axis] /= size


@compiled
def _matrices(rotvec, out):
    # Through the half angle's sine and cosine.
    for row in range(len(out)):
        x, y, z = rotvec[row, 0], rotvec[row, 1], rotvec[row, 2]
        angle = math.sqrt(x * x + y * y + z * z)
        scale = math.sin(0.5 * angle) / angle if angle > SMALL else 0.5
        x, y, z, w = scale * x, scale * y, scale * z, math.cos(0.5 * angle)
        m = out[row]
        m[0, 0], m[0, 1], m[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
        m[1, 0], m[1, 1], m[1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
        m[2, 0], m[2, 1], m[2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
