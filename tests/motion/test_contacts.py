"""Contacts and plausibility measures: known answers, and no dependence on where or which way the person goes."""

from __future__ import annotations

import numpy as np
import pytest

from augment.motion.contacts import FOOT_JOINTS, foot_contacts, joint_speeds
from augment.motion.plausibility import floor_penetration, foot_skate, jitter
from augment.types import JOINT


@pytest.fixture
def standing():
    """Forty frames of someone whose feet rest on the floor and whose other joints lie at 1 m."""
    joints = np.ones((40, 24, 3))
    joints[:, FOOT_JOINTS] = [[0.1, 0.08, 0.0], [0.1, 0.02, 0.12], [-0.1, 0.08, 0.0], [-0.1, 0.02, 0.12]]
    return joints


def test_standing_feet_touch_and_do_not_skate(standing):
    contacts = foot_contacts(standing, 20.0)
    assert contacts.shape == (40, 4)
    assert (contacts == 1).all()
    assert foot_skate(standing, contacts, 20.0) == 0


def test_lifted_or_moving_feet_do_not_touch(standing):
    standing[10:20, JOINT["left_ankle"], 1] += 0.3
    standing[10:20, JOINT["left_foot"], 1] += 0.3
    standing[:, JOINT["right_ankle"], 2] += np.arange(40) * 0.05
    contacts = foot_contacts(standing, 20.0)
    assert (contacts[11:19, :2] == 0).all()
    assert (contacts[:9, :2] == 1).all()
    assert (contacts[:, 2] == 0).all()
    assert (contacts[:, 3] == 1).all()


def test_contacts_and_skate_do_not_depend_on_heading_or_place(standing):
    rng = np.random.default_rng(0)
    wander = np.cumsum(rng.normal(scale=0.01, size=(40, 1, 3)), axis=0) * [1, 0, 1]
    joints = standing + wander + np.maximum(0, np.sin(np.arange(40) / 4))[:, None, None] * [0, 0.2, 0]
    angle = 1.234
    yaw = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = joints @ yaw.T + [3.0, 0.0, -7.0]
    contacts = foot_contacts(joints, 20.0)
    np.testing.assert_array_equal(foot_contacts(turned, 20.0), contacts)
    assert 0 < contacts.mean() < 1
    assert foot_skate(turned, contacts, 20.0) == pytest.approx(foot_skate(joints, contacts, 20.0))


def test_speed_of_a_uniform_motion_is_exact(standing):
    joints = standing + np.arange(40)[:, None, None] * [0.03, 0.0, 0.04]
    np.testing.assert_allclose(joint_speeds(joints, 20.0), 1.0, atol=1e-9)
    assert foot_skate(joints, np.ones((40, 4)), 20.0) == pytest.approx(1.0)
    assert foot_skate(joints, np.zeros((40, 4)), 20.0) == 0
    assert jitter(joints, 20.0) == pytest.approx(0, abs=1e-6)


def test_single_frames_have_no_speed(standing):
    assert (foot_contacts(standing[:1], 20.0) == 1).all()
    assert jitter(standing[:3], 20.0) == 0


def test_jerk_of_a_cubic_is_its_third_derivative(standing):
    seconds = np.arange(40) / 20.0
    assert jitter(standing + (seconds**3)[:, None, None] * [1, 0, 0], 20.0) == pytest.approx(6.0, rel=1e-6)


def test_depth_below_the_floor(standing):
    standing[:10, JOINT["left_foot"], 1] = -0.04
    assert floor_penetration(standing) == pytest.approx(0.01)
    standing[:, FOOT_JOINTS, 1] += 0.5
    assert floor_penetration(standing) == 0
