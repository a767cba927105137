"""Laws of rotations and inverse kinematics in ``motion.library.scripted.ik``."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from augment.motion.library.scripted import ik
from augment.types import SMPL_PARENTS

SIZES = (0.0, 1e-12, 1e-6, 0.3, 2.0, np.pi - 1e-7, np.pi)


def rotvecs() -> np.ndarray:
    """Rotation vectors of all sizes up to half a turn, also none and half a turn, about random axes and those of the frame."""
    axes = np.concatenate([ik.unit(np.random.default_rng(0).normal(size=(50, 3))), np.eye(3), -np.eye(3)])
    return np.concatenate([axes * size for size in SIZES])


def test_rotation_matrices_and_quaternions_are_scipys():
    expected = Rotation.from_rotvec(rotvecs())
    matrices = ik.from_rotvec(rotvecs())
    np.testing.assert_allclose(matrices, expected.as_matrix(), atol=1e-14)
    quaternions = ik.to_quaternion(matrices)
    assert np.abs((quaternions * expected.as_quat()).sum(-1)).min() > 1 - 1e-12
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=-1), 1.0, atol=1e-14)


def test_rotation_vectors_come_back():
    matrices = ik.from_rotvec(rotvecs())
    back = ik.to_rotvec(matrices)
    assert np.linalg.norm(back, axis=-1).max() <= np.pi + 1e-12
    np.testing.assert_allclose(ik.from_rotvec(back), matrices, atol=1e-12)
    np.testing.assert_allclose(ik.angle(matrices), np.linalg.norm(rotvecs(), axis=-1), atol=1e-7)


def test_a_cross_product_is_numpys():
    first, second = np.random.default_rng(1).normal(size=(2, 20, 3))
    np.testing.assert_array_equal(ik.cross(first, second), np.cross(first, second))
    np.testing.assert_array_equal(ik.cross(first, second[0]), np.cross(first, second[0]))


def test_a_frame_is_a_rotation_that_keeps_the_direction():
    direction, hinge = np.random.default_rng(2).normal(size=(2, 20, 3))
    frame = ik.frame(direction, hinge)
    np.testing.assert_allclose(frame @ ik.transpose(frame), np.broadcast_to(np.eye(3), frame.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frame), 1.0, atol=1e-12)
    np.testing.assert_allclose(frame[..., 0], ik.unit(direction), atol=1e-12)
    assert (frame[..., 1] * hinge).sum(-1).min() > 0


def test_bones_keep_their_length():
    rng = np.random.default_rng(3)
    rest = rng.normal(size=(24, 3))
    positions, worlds = ik.forward(ik.from_rotvec(rng.normal(size=(4, 24, 3))), rest)
    np.testing.assert_allclose(np.linalg.det(worlds), 1.0, atol=1e-12)
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        lengths = np.linalg.norm(positions[:, joint] - positions[:, parent], axis=-1)
        np.testing.assert_allclose(lengths, np.linalg.norm(rest[joint] - rest[parent]), atol=1e-12)
