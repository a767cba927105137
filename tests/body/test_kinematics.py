"""Laws of poses in compiled code: the same as geometry's functions, and inverses of each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment.body.kinematics import (
    interpolated,
    joint_positions,
    local_vectors,
    rotation_matrices,
    rotation_vectors,
    world_rotations_of,
)
from augment.geometry import axis_angle_to_matrix, forward_kinematics, matrix_to_axis_angle, slerp


def _vectors(seed: int) -> np.ndarray:
    """Ordinary, tiny, zero and half-turn rotations."""
    vectors = np.random.default_rng(seed).normal(size=(20, 24, 3))
    vectors[0, :3], vectors[1] = 0.0, 1e-9 * vectors[1]
    vectors[2, :3] = np.pi * np.eye(3)
    return vectors


def test_vectors_to_matrices_as_in_geometry():
    vectors = _vectors(0)
    np.testing.assert_allclose(rotation_matrices(vectors), axis_angle_to_matrix(torch.from_numpy(vectors)), atol=1e-13)


def test_matrices_to_vectors_as_in_geometry():
    turns = axis_angle_to_matrix(torch.from_numpy(_vectors(1)[3:]))
    np.testing.assert_allclose(rotation_vectors(turns.numpy()), matrix_to_axis_angle(turns), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 1.0, np.pi - 1e-9, np.pi])
def test_vectors_come_back_from_matrices(angle):
    for axis in np.concatenate([np.eye(3), np.random.default_rng(2).normal(size=(9, 3))]):
        vector = angle * axis / np.linalg.norm(axis)
        back = rotation_vectors(rotation_matrices(vector))
        np.testing.assert_allclose(
            back if angle < 3.14 else np.abs(back), vector if angle < 3.14 else np.abs(vector), atol=1e-8
        )


def test_joints_and_world_rotations_as_in_geometry():
    vectors, rng = _vectors(3), np.random.default_rng(3)
    rest, pelvis = rng.normal(size=(24, 3)), rng.normal(size=(20, 3))
    joints, worlds = forward_kinematics(axis_angle_to_matrix(torch.from_numpy(vectors)), torch.from_numpy(rest))
    found = world_rotations_of(vectors)
    np.testing.assert_allclose(found, worlds, atol=1e-12)
    placed = joints.numpy() - rest[0] + pelvis[:, None]
    np.testing.assert_allclose(joint_positions(found, rest, pelvis), placed, atol=1e-12)
    np.testing.assert_allclose(rotation_matrices(local_vectors(found)), rotation_matrices(vectors), atol=1e-12)


def test_rotations_in_between_as_in_geometry():
    start, end, share = _vectors(4), _vectors(5), np.linspace(0, 1, 20)
    a, b = (axis_angle_to_matrix(torch.from_numpy(each)) for each in (start, end))
    wanted = slerp(a, b, torch.from_numpy(share)[:, None])
    np.testing.assert_allclose(rotation_matrices(interpolated(start, end, share)), wanted, atol=1e-12)
