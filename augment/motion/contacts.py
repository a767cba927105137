"""Foot contacts: binary labels from joint heights and speeds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..geometry import Array
from ..types import JOINT

FOOT_JOINTS: tuple[int, ...] = (JOINT["left_ankle"], JOINT["left_foot"], JOINT["right_ankle"], JOINT["right_foot"])
"""The joints of the four contact columns, in column order."""

_MAX_HEIGHT = np.array([0.17, 0.10, 0.17, 0.10])
"""Metres above the floor: an ankle is 6-11 cm, the ball of a foot 2-5 cm above the sole; the rest is tolerance."""
_MAX_SPEED = 0.35
"""Metres a second: the ankle of a rolling foot moves slowly, a swinging foot faster than 1 m/s."""


def joint_speeds(joints: Float[np.ndarray, "t j 3"], fps: float) -> Float[np.ndarray, "t j"]:
    """Speed of every joint in metres a second, by central differences (one-sided at both ends)."""
    if len(joints) < 2:
        return np.zeros(joints.shape[:2])
    return np.linalg.norm(np.gradient(np.asarray(joints, np.float64), axis=0), axis=-1) * fps


def standing_steps(joints: Array, contacts: Array) -> tuple[Array, Array]:
    """Steps of the feet from one frame to the next, and how far each counts as made while standing.

    Args:
        joints: SMPL's joints, world, metres. NumPy or torch, as ``contacts``. Shape (t, 24, 3).
        contacts: 0 (in the air) to 1 (standing). Shape (t, 4).
    Returns:
        Steps of ``FOOT_JOINTS``, metres, (t - 1, 4, 3); the smaller of the contacts at both ends, (t - 1, 4).
    """
    feet = joints[:, list(FOOT_JOINTS)]
    return feet[1:] - feet[:-1], contacts[1:].clip(max=contacts[:-1])


def foot_contacts(joints: Float[np.ndarray, "t 24 3"], fps: float) -> Float[np.ndarray, "t 4"]:
    """Which of left ankle, left foot, right ankle, right foot rests on the floor (y = 0).

    Args:
        joints: SMPL's joints, world, metres. Shape (t, 24, 3).
        fps: Frames a second.
    Returns:
        1 where the joint is low and slow, else 0; changes of a single frame are removed. Shape (t, 4).
    """
    feet = np.asarray(joints)[:, FOOT_JOINTS]
    contact = (feet[..., 1] < _MAX_HEIGHT) & (joint_speeds(feet, fps) < _MAX_SPEED)
    if len(contact) >= 3:
        before, after = contact[:-2], contact[2:]
        inner = contact[1:-1]
        contact = np.concatenate([contact[:1], np.where(before == after, before, inner), contact[-1:]])
    return contact.astype(np.float32)
