"""Laws of the feature layout: the way back is exact, the start is canonical, mirrors and turns commute with kinematics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment.geometry import axis_angle_to_matrix, heading_of, rotation6d_to_matrix
from augment.motion.features import (
    FEATURE_DIM,
    FEATURES,
    MIRROR_JOINTS,
    canonicalise,
    features_to_motion,
    features_to_rotations,
    mirror_features,
    mirror_joints,
    motion_to_features,
    move_features,
    pose_joints,
    velocities_of,
)
from augment.types import SMPL_JOINTS, Motion
from tests.make.actor import moving, rest_joints


@pytest.fixture
def motion() -> Motion:
    return moving(rng=np.random.default_rng(3))


def _angle_between(a: np.ndarray, b: np.ndarray) -> float:
    first, second = (axis_angle_to_matrix(torch.as_tensor(x, dtype=torch.float64)) for x in (a, b))
    cosine = ((first * second).sum((-1, -2)) - 1) / 2
    return float(cosine.clamp(-1, 1).acos().max())


def _wild(seed: int, frames: int = 12) -> Motion:
    """Any rotations at all, the root's included."""
    rng = np.random.default_rng(seed)
    axis_angles = rng.normal(size=(frames, 24, 3))
    return Motion(
        global_orient=axis_angles[:, 0],
        body_pose=axis_angles[:, 1:],
        transl=rng.normal(size=(frames, 3)),
        betas=rng.normal(size=10),
        fps=20.0,
    )


def test_layout_covers_every_channel_once():
    covered = sorted(index for part in FEATURES.values() for index in range(part.start, part.stop))
    assert covered == list(range(FEATURE_DIM)) == list(range(295))


def _in_world(features: torch.Tensor, T_world_canonical: np.ndarray) -> torch.Tensor:
    T = torch.as_tensor(T_world_canonical, dtype=features.dtype)
    return move_features(features, torch.atan2(T[0, 2], T[2, 2]), T[:3, 3])


@pytest.mark.parametrize("seed", range(4))
def test_round_trip_is_exact(seed: int):
    motion = _wild(seed)
    rest = rest_joints(motion.betas)
    features, T_world_canonical = motion_to_features(motion, rest)
    back = features_to_motion(_in_world(features, T_world_canonical), rest, betas=motion.betas, fps=20.0)
    assert np.abs(back.transl - motion.transl).max() < 1e-4
    assert _angle_between(back.global_orient, motion.global_orient) < 1e-3
    assert _angle_between(back.body_pose, motion.body_pose) < 1e-3


def test_round_trip_survives_single_precision(motion: Motion):
    rest = rest_joints(motion.betas)
    features, T_world_canonical = motion_to_features(motion, rest)
    back = features_to_motion(_in_world(features.float(), T_world_canonical), rest, betas=motion.betas, fps=20.0)
    assert np.abs(back.transl - motion.transl).max() < 1e-4
    assert _angle_between(back.global_orient, motion.global_orient) < 1e-3


def test_start_is_canonical(motion: Motion):
    features, _ = motion_to_features(motion, rest_joints(motion.betas))
    assert features[0, [0, 2]].abs().max() < 1e-9
    assert heading_of(rotation6d_to_matrix(features[0, FEATURES["orient"]])).abs() < 1e-9


def test_features_do_not_depend_on_where_the_motion_was_or_faced(motion: Motion):
    features, _ = motion_to_features(motion, rest_joints(motion.betas))
    moved = move_features(features, torch.tensor(1.3, dtype=torch.float64), torch.tensor([2.0, 0.0, -1.0]).double())
    assert not torch.allclose(moved, features)
    torch.testing.assert_close(canonicalise(moved), features)


def test_joint_channels_are_the_joints_of_the_rotations(motion: Motion):
    rest = rest_joints(motion.betas)
    features, _ = motion_to_features(motion, rest)
    joints = pose_joints(*features_to_rotations(features), torch.as_tensor(rest))
    torch.testing.assert_close(joints.flatten(-2), features[:, FEATURES["joints"]])
    torch.testing.assert_close(velocities_of(joints, fps=20.0).flatten(-2), features[:, FEATURES["velocities"]])


def test_mirror_swaps_left_and_right_and_is_its_own_inverse(motion: Motion):
    assert SMPL_JOINTS[MIRROR_JOINTS[SMPL_JOINTS.index("left_knee")]] == "right_knee"
    assert MIRROR_JOINTS[SMPL_JOINTS.index("spine2")] == SMPL_JOINTS.index("spine2")
    features, _ = motion_to_features(motion, rest_joints(motion.betas))
    mirrored = mirror_features(features)
    assert not torch.allclose(mirrored, features)
    torch.testing.assert_close(mirror_features(mirrored), features)


def test_mirrored_rotations_give_the_mirrored_joints(motion: Motion):
    rest = torch.as_tensor(rest_joints(motion.betas))
    rest = rest + 0.02 * torch.arange(72, dtype=torch.float64).reshape(24, 3) / 72  # no body is quite symmetrical
    features, _ = motion_to_features(motion, rest.numpy())
    mirrored = mirror_features(features)
    joints = pose_joints(*features_to_rotations(mirrored), mirror_joints(rest))
    torch.testing.assert_close(joints.flatten(-2), mirrored[:, FEATURES["joints"]])


def test_any_leading_batch_shape(motion: Motion):
    features, _ = motion_to_features(motion, rest_joints(motion.betas))
    batch = features.expand(2, 3, *features.shape)
    torch.testing.assert_close(mirror_features(batch)[1, 2], mirror_features(features))
    torch.testing.assert_close(canonicalise(batch)[0, 1], canonicalise(features))


def test_one_frame_has_no_velocity(motion: Motion):
    assert (velocities_of(torch.rand(1, 24, 3), fps=20.0) == 0).all()
