"""Poses in compiled code, NumPy in and out: rotations, joints and world rotations of SMPL's tree for all frames of a motion.

The same as ``geometry``'s functions on torch tensors, for the few hundred small matrices of a motion, where a call into torch
costs more than the work. Double precision.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..compiled import compiled
from ..types import SMPL_PARENTS

_PARENTS = np.array(SMPL_PARENTS)


def rotation_matrices(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation vectors (radians) to rotation matrices."""
    flat = np.ascontiguousarray(vectors, np.float64).reshape(-1, 3)
    out = np.empty((len(flat), 3, 3))
    _matrices(flat, out)
    return out.reshape(*vectors.shape, 3)


def rotation_vectors(matrices: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Rotation matrices to rotation vectors (radians) with angles in [0, pi]."""
    flat = np.ascontiguousarray(matrices, np.float64).reshape(-1, 3, 3)
    out = np.empty((len(flat), 3))
    _vectors(flat, out)
    return out.reshape(matrices.shape[:-1])


def interpolated(
    start: Float[np.ndarray, "t j 3"], end: Float[np.ndarray, "t j 3"], weight: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "t j 3"]:
    """Rotation vectors on the shorter way from ``start`` (weight 0) to ``end`` (weight 1), at constant speed."""
    out = np.empty(start.shape)
    _between(np.ascontiguousarray(start, np.float64), np.ascontiguousarray(end, np.float64), weight, out)
    return out


def world_rotations_of(poses: Float[np.ndarray, "t 24 3"]) -> Float[np.ndarray, "t 24 3 3"]:
    """Every joint's rotation in the frame of the root's, from rotation vectors relative to the parents."""
    out = np.empty((*poses.shape, 3))
    _worlds(np.ascontiguousarray(poses, np.float64), _PARENTS, out)
    return out


def local_vectors(worlds: Float[np.ndarray, "t 24 3 3"]) -> Float[np.ndarray, "t 24 3"]:
    """Rotation vectors relative to the parents (inverse of ``world_rotations_of``)."""
    out = np.empty(worlds.shape[:3])
    _locals(np.ascontiguousarray(worlds), _PARENTS, out)
    return out


def joint_positions(
    worlds: Float[np.ndarray, "t 24 3 3"], rest: Float[np.ndarray, "24 3"], pelvis: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "t 24 3"]:
    """Joints, metres, from their world rotations.

    Args:
        worlds: World rotations.
        rest: Joints of the zero pose, metres.
        pelvis: Where the root is, metres.
    """
    out = np.empty(worlds.shape[:3])
    pelvis = np.ascontiguousarray(pelvis, np.float64)
    _positions(np.ascontiguousarray(worlds), np.ascontiguousarray(rest, np.float64), pelvis, _PARENTS, out)
    return out


@compiled
def _matrix(x, y, z, out):
    angle = np.sqrt(x * x + y * y + z * z)
    if angle < 1e-6:
        a, b = 1.0 - angle * angle / 6.0, 0.5 - angle * angle / 24.0
    else:
        a, b = np.sin(angle) / angle, (1.0 - np.cos(angle)) / (angle * angle)
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1.0 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1.0 - b * (x * x + y * y)


@compiled
def _vector(m, out):
    # The quaternion by its largest component, which keeps its digits at every angle.
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    if trace >= m[0, 0] and trace >= m[1, 1] and trace >= m[2, 2]:
        w, x, y, z = 1.0 + trace, m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    elif m[0, 0] >= m[1, 1] and m[0, 0] >= m[2, 2]:
        w, x, y, z = m[2, 1] - m[1, 2], 1.0 + 2.0 * m[0, 0] - trace, m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]
    elif m[1, 1] >= m[2, 2]:
        w, x, y, z = m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], 1.0 + 2.0 * m[1, 1] - trace, m[2, 1] + m[1, 2]
    else:
        w, x, y, z = m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], 1.0 + 2.0 * m[2, 2] - trace
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    sine = np.sqrt(x * x + y * y + z * z)
    scale = 2.0 / w if sine < 1e-12 * w else 2.0 * np.arctan2(sine, w) / sine
    out[0], out[1], out[2] = scale * x, scale * y, scale * z


@compiled
def product(a, b, out):
    """The product of two (3, 3) matrices; for compiled code."""
    for i in range(3):
        for k in range(3):
            out[i, k] = a[i, 0] * b[0, k] + a[i, 1] * b[1, k] + a[i, 2] * b[2, k]


@compiled
def smallest_turn(start, end, out):
    """The smallest rotation (3, 3) that turns direction ``start`` into ``end``, both (3,); for compiled code."""
    x = start[1] * end[2] - start[2] * end[1]
    y = start[2] * end[0] - start[0] * end[2]
    z = start[0] * end[1] - start[1] * end[0]
    sine = np.sqrt(x * x + y * y + z * z)
    angle = np.arctan2(sine, start[0] * end[0] + start[1] * end[1] + start[2] * end[2])
    scale = angle / max(sine, 1e-12)
    _matrix(scale * x, scale * y, scale * z, out)


@compiled
def _turned_back(a, b, out):
    # The inverse of ``a`` times ``b``.
    for i in range(3):
        for k in range(3):
            out[i, k] = a[0, i] * b[0, k] + a[1, i] * b[1, k] + a[2, i] * b[2, k]


@compiled
def _matrices(vectors, out):
    for row in range(len(vectors)):
        _matrix(vectors[row, 0], vectors[row, 1], vectors[row, 2], out[row])


@compiled
def _vectors(matrices, out):
    for row in range(len(matrices)):
        _vector(matrices[row], out[row])


@compiled
def _between(start, end, weight, out):
    a, b, step, part = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for frame in range(len(start)):
        for joint in range(start.shape[1]):
            u, v = start[frame, joint], end[frame, joint]
            _matrix(u[0], u[1], u[2], a)
            _matrix(v[0], v[1], v[2], b)
            _turned_back(a, b, step)
            _vector(step, part)
            share = weight[frame]
            _matrix(share * part[0], share * part[1], share * part[2], step)
            product(a, step, b)
            _vector(b, out[frame, joint])


@compiled
def _worlds(poses, parents, out):
    turn = np.empty((3, 3))
    for frame in range(len(poses)):
        pose = poses[frame]
        _matrix(pose[0, 0], pose[0, 1], pose[0, 2], out[frame, 0])
        for joint in range(1, 24):
            _matrix(pose[joint, 0], pose[joint, 1], pose[joint, 2], turn)
            product(out[frame, parents[joint]], turn, out[frame, joint])


@compiled
def _locals(worlds, parents, out):
    turn = np.empty((3, 3))
    for frame in range(len(worlds)):
        _vector(worlds[frame, 0], out[frame, 0])
        for joint in range(1, 24):
            _turned_back(worlds[frame, parents[joint]], worlds[frame, joint], turn)
            _vector(turn, out[frame, joint])


@compiled
def _positions(worlds, rest, pelvis, parents, out):
    for frame in range(len(worlds)):
        for axis in range(3):
            out[frame, 0, axis] = pelvis[frame, axis]
        for joint in range(1, 24):
            parent = parents[joint]
            x, y, z = (
                rest[joint, 0] - rest[parent, 0],
                rest[joint, 1] - rest[parent, 1],
                rest[joint, 2] - rest[parent, 2],
            )
            turn = worlds[frame, parent]
            for axis in range(3):
                along = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z
                out[frame, joint, axis] = out[frame, parent, axis] + along
