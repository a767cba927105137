"""Pose errors: what they must not notice, what they must, and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment.geometry import axis_angle_to_matrix
from augment.types import JOINT
from benchmarks.truth.pose_errors import (
    acceleration_error,
    align,
    floor_heights,
    foot_skate,
    judge,
    mpjpe,
    pa_mpjpe,
    ratio_interval,
)


def _joints(frames=12, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, 24, 3))


def _turn(seed=1):
    vector = torch.as_tensor(np.random.default_rng(seed).normal(size=3))
    return axis_angle_to_matrix(vector).numpy()


def _judge(found, truth, contact=None):
    contact = np.ones((len(truth), 4), bool) if contact is None else contact
    return judge(found, truth, fps=30.0, contact=contact, forward=np.array([0.0, 0.0, 1.0]))


def test_mpjpe_ignores_a_shift_and_nothing_else():
    """Invariance: shifting each frame changes nothing; moving one of 24 joints by 24 cm costs 1 cm."""
    truth = _joints()
    shifted = truth + np.random.default_rng(2).normal(size=(12, 1, 3))
    assert np.allclose(mpjpe(shifted, truth), 0.0, atol=1e-12)
    moved = truth.copy()
    moved[:, 5, 1] += 0.24
    assert np.allclose(mpjpe(moved, truth), 0.01)


def test_pa_mpjpe_ignores_similarities_and_is_the_least_of_all():
    """Invariance under turn, shift and size; without ``scale`` the size counts."""
    truth = _joints()
    moved = 1.3 * truth @ _turn().T + [3.0, -1.0, 0.5]
    assert np.allclose(pa_mpjpe(moved, truth), 0.0, atol=1e-9)
    assert (pa_mpjpe(moved, truth, scale=False) > 0.1).all()
    noisy = truth + 0.1 * _joints(seed=5)
    aligned = pa_mpjpe(noisy, truth)
    assert (aligned < 1.1 * np.linalg.norm(noisy - truth, axis=-1).mean(-1)).all()
    assert np.allclose(pa_mpjpe(moved @ _turn(7).T, noisy), pa_mpjpe(moved, noisy), atol=1e-9)


def test_no_mirror_image_passes_for_a_turn():
    """A reflection is no rotation: the mirrored body keeps an error."""
    truth = _joints()
    assert (pa_mpjpe(truth * [-1.0, 1.0, 1.0], truth) > 0.2).all()


def test_align_undoes_a_known_motion_and_leaves_gaps_out():
    """Known answer, with NaN rows on either side that must not matter."""
    points = _joints(1)[0]
    target = points @ _turn().T + [1.0, 2.0, 3.0]
    broken, holes = points.copy(), target.copy()
    broken[3], holes[7] = np.nan, np.nan
    moved = align(broken, holes, scale=False)
    keep = np.arange(24) != 3
    assert np.allclose(moved[keep], target[keep], atol=1e-9)
    with pytest.raises(ValueError, match="needs 3"):
        align(points[:2], target[:2], scale=False)


def test_acceleration_error_of_a_parabola():
    """Known answer: joints left behind by a body accelerating at 9.81 m/s^2 differ by 9.81; a constant drift by nothing."""
    truth = np.zeros((20, 24, 3))
    seconds = np.arange(20)[:, None] / 30.0
    falling = truth.copy()
    falling[..., 1] -= 0.5 * 9.81 * seconds**2
    assert acceleration_error(falling, truth, fps=30.0) == pytest.approx(9.81)
    drifting = truth + 0.7 * seconds[..., None]
    assert acceleration_error(drifting, truth, fps=30.0) == pytest.approx(0.0, abs=1e-9)


def test_skate_counts_standing_feet_along_the_floor_only():
    """Known answer: 0.3 m/s sideways while standing; rising feet and feet in the air count for nothing."""
    joints = np.zeros((10, 24, 3))
    joints[:, JOINT["left_ankle"], 0] = 0.3 * np.arange(10) / 25.0
    joints[:, JOINT["left_ankle"], 1] = np.arange(10)
    joints[:, JOINT["right_foot"], 0] = 5.0 * np.arange(10)
    contact = np.zeros((10, 4), bool)
    assert np.isnan(foot_skate(joints, contact, fps=25.0))
    contact[:, 0] = True
    assert foot_skate(joints, contact, fps=25.0) == pytest.approx(0.3)
    assert np.allclose(floor_heights(joints, contact), np.arange(10))


def test_judge_separates_place_from_pose():
    """A body shifted by (3, 4) cm across and along the camera's axis: root 5, depth 4, pose 0; gaps are not judged."""
    truth = _joints()
    found = truth + [0.03, 0.0, 0.04]
    found[4] = np.nan
    errors = _judge(found, truth)
    assert errors.root == pytest.approx(0.05)
    assert errors.world_mpjpe == pytest.approx(0.05)
    assert errors.root_depth == pytest.approx(0.04)
    assert errors.mpjpe == pytest.approx(0.0, abs=1e-12)
    assert errors.pa_mpjpe == pytest.approx(0.0, abs=1e-9)
    assert errors.frames == 11
    with pytest.raises(ValueError, match="NaN"):
        _judge(np.full_like(truth, np.nan), truth)
    with pytest.raises(ValueError, match="must match"):
        _judge(truth[:3], truth)


def test_ratio_interval_holds_the_ratio_and_shrinks_with_more_sequences():
    rng = np.random.default_rng(0)
    before = rng.uniform(0.05, 0.15, 200)
    after = before * rng.uniform(0.4, 0.8, 200)
    few = ratio_interval(after[:10], before[:10], rng=np.random.default_rng(1))
    many = ratio_interval(after, before, rng=np.random.default_rng(1))
    assert few[1] < few[0] < few[2]
    assert many[1] < 0.6 < many[2]
    assert many[2] - many[1] < few[2] - few[1]
    exact = ratio_interval(0.5 * before, before, rng=np.random.default_rng(1))
    assert np.allclose(exact, 0.5)
