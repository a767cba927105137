"""Orientation of a camera that heads along +z: it looks down by its pitch and is turned by its roll."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def rotation_world_camera(pitch: Float[np.ndarray, "*b"] | float, roll: Float[np.ndarray, "*b"] | float) -> np.ndarray:
    """Camera axes (right, down, forward) as columns in the world.

    Args:
        pitch: Radians, positive looking down. Shape (*b,).
        roll: Radians. Shape (*b,).
    Returns:
        Shape (*b, 3, 3).
    """
    pitch, roll = np.broadcast_arrays(pitch, roll)
    none, cos, sin = np.zeros(pitch.shape), np.cos(pitch), np.sin(pitch)
    forward = np.stack([none, -sin, cos], axis=-1)
    right, down = np.stack([none - 1.0, none, none], axis=-1), np.stack([none, -cos, -sin], axis=-1)
    c, s = np.cos(roll)[..., None], np.sin(roll)[..., None]
    return np.stack([c * right + s * down, c * down - s * right, forward], axis=-1)
