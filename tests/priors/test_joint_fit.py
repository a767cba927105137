"""Laws of the fit that priors are judged by, and of its measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment.geometry import forward_kinematics
from augment.priors.joint_fit import (
    OCCLUSIONS,
    JointFitConfig,
    average_pairwise_distance,
    concatenated,
    fit_sequence,
    joint_errors,
    nearest_pose_distance,
    observe,
    root_aligned,
    vertex_errors,
)
from augment.priors.poses import PoseDataset, sequence_at
from augment.priors.prior import PoseSequence
from augment.types import JOINT
from tests.make.priors import few_poses

QUICK = JointFitConfig(iterations=60)


@pytest.fixture(scope="module")
def data() -> PoseDataset:
    return few_poses()


@pytest.fixture(scope="module")
def truth(data) -> PoseSequence:
    return sequence_at(data, data.starts[:2], 20)


@pytest.fixture(scope="module")
def rest(data) -> torch.Tensor:
    return data.rest_joints[:2]


class Upright:
    """A prior that wants the left knee straight."""

    name = "upright"

    def energy(self, sequence: PoseSequence) -> torch.Tensor:
        return (sequence.rotations[..., JOINT["left_knee"], :, :] - torch.eye(3)).square().sum((-1, -2))


def seen(truth, rest, *, std: float = 0.01, missing: tuple[str, ...] = (), seed: int = 0):
    return observe(truth, rest, std=std, missing=missing, generator=torch.Generator().manual_seed(seed))


def test_noise_has_the_deviation_it_says_and_only_named_joints_are_unseen(truth, rest) -> None:
    observation = seen(truth, rest, std=0.04, missing=OCCLUSIONS["leg"])
    assert float((observation.joints - truth.joints).std()) == pytest.approx(0.04, rel=0.05)
    hidden = [name for name, index in JOINT.items() if not observation.seen[0, index]]
    assert sorted(hidden) == sorted(OCCLUSIONS["leg"])


def test_clean_joints_come_back(truth, rest) -> None:
    found = fit_sequence(seen(truth, rest, std=1e-3), None, replace(QUICK, acceleration=1e3))
    assert float(joint_errors(found, truth).mean()) < 0.01


def test_the_fit_has_the_bodys_own_bones_and_rotations(truth, rest) -> None:
    found = fit_sequence(seen(truth, rest, std=0.03), None, QUICK)
    assert torch.allclose(found.rotations @ found.rotations.mT, torch.eye(3).expand_as(found.rotations), atol=1e-5)
    again = forward_kinematics(found.rotations, (rest - rest[:, :1])[:, None])[0] + found.joints[:, :, :1]
    assert torch.allclose(again, found.joints, atol=1e-4)


def test_smoothness_makes_noise_less(truth, rest) -> None:
    observation = seen(truth, rest, std=0.04)
    rough, smooth = (
        fit_sequence(observation, None, replace(QUICK, acceleration=each)).joints.diff(n=2, dim=1).norm(dim=-1).mean()
        for each in (1e4, 10.0)
    )
    assert float(smooth) < 0.5 * float(rough)


def test_a_prior_decides_what_is_not_seen_and_little_else(truth, rest) -> None:
    observation = seen(truth, rest, missing=OCCLUSIONS["leg"])
    without, given = (fit_sequence(observation, Upright(), replace(QUICK, weight=each)) for each in (0.0, 100.0))
    assert float(Upright().energy(given).mean()) < 0.02
    assert float(Upright().energy(given).mean()) < 0.5 * float(Upright().energy(without).mean()) + 0.01
    rest_of_body = [index for name, index in JOINT.items() if name not in OCCLUSIONS["leg"]]
    assert float(joint_errors(given, without)[:, rest_of_body].mean()) < 0.01


def test_clips_fitted_together_are_fitted_as_if_alone(truth, rest) -> None:
    def clip(index: int) -> PoseSequence:
        part = slice(index, index + 1)
        return PoseSequence(rotations=truth.rotations[part], joints=truth.joints[part], fps=truth.fps)

    seen_each = [seen(clip(i), rest[i : i + 1], std=0.01 * (i + 1), seed=i) for i in (0, 1)]
    both = fit_sequence(concatenated(seen_each), None, QUICK)
    alone = fit_sequence(seen_each[1], None, QUICK)
    assert torch.allclose(both.joints[1], alone.joints[0], atol=2e-3)


def test_errors_of_a_shifted_body_are_the_shift(truth, rest, body) -> None:
    shifted = PoseSequence(rotations=truth.rotations, joints=truth.joints + torch.tensor([0.03, 0.0, 0.04]), fps=truth.fps)
    assert torch.allclose(joint_errors(shifted, truth), torch.full((2, 24), 0.05), atol=1e-5)
    vertices = torch.tensor(np.array(body.rest_vertices(np.zeros(10))[::200]), dtype=torch.float32)
    weights = torch.tensor(body.weights[::200], dtype=torch.float32)
    assert torch.allclose(vertex_errors(shifted, truth, rest[0], vertices, weights), torch.full((2,), 0.05), atol=1e-4)


def test_pairwise_distance_of_two_poses_is_their_distance_and_of_equal_ones_none(data) -> None:
    joints = root_aligned(data.rotations[:40:20], data.rest_joints[0])
    assert average_pairwise_distance(joints) == pytest.approx(float((joints[0] - joints[1]).norm(dim=-1).mean()), rel=1e-5)
    assert average_pairwise_distance(joints[:1].expand(3, -1, -1)) == pytest.approx(0.0, abs=1e-6)


def test_nearest_distance_of_a_known_pose_is_none(data) -> None:
    joints = root_aligned(data.rotations[:50], data.rest_joints[0])
    assert float(nearest_pose_distance(joints[7:9], joints).max()) < 1e-6
    assert torch.allclose(nearest_pose_distance(joints[:1] + 0.5, joints[:1]), torch.tensor([0.75**0.5]))
