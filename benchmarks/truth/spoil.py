"""A real detector's errors of 3D points; those of 2D points are in ``recognition.inputs.detector_errors``."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from recognition.inputs.detector_errors import MEDIAPIPE_UPFALL, unit_waves

POINTS3D: dict[str, float] = {"still": 0.038, "moving": 0.044, "falling": 0.070, "fallen": 0.072}
"""By state: error of MediaPipe's own 3D points along each axis, metres, after the body as a whole is turned right. Measured on
UP-Fall as the two views' disagreement after a rigid alignment of each frame (78, 91, 141 and 155 mm mean), over root two."""
LEAN = 0.10
"""Radians by which they are turned as a whole; assumed."""


def spoil_points3d(
    truth3d: Float[np.ndarray, "t k 3"], *, rng: np.random.Generator, fps: float, states: list[str]
) -> Float[np.ndarray, "t k 3"]:
    """A detector's own 3D points from true ones.

    Args:
        truth3d: Metres, camera axes, relative to the middle of the hips.
        states: Key of ``STATES`` for each frame.
    Returns:
        Half of the error's variance lasts, half changes with the pose; the whole leans by ``LEAN``.
    """
    spread = np.array([POINTS3D[state] for state in states])[:, None, None]
    noise = MEDIAPIPE_UPFALL
    pair = unit_waves(len(states), truth3d.shape[1], states, fps, noise, rng=rng)
    third = unit_waves(len(states), truth3d.shape[1], states, fps, noise, rng=rng)[..., :1]
    error = (np.concatenate([pair, third], axis=-1) + rng.normal(size=truth3d.shape[1:])) / np.sqrt(2)
    lean = (
        LEAN
        * (unit_waves(len(states), 1, ["still"] * len(states), fps, noise, rng=rng)[:, 0] + rng.normal(size=2))
        / np.sqrt(2)
    )
    # Small turns about the picture's two axes, which a single view determines least.
    x, y, z = np.moveaxis(truth3d, -1, 0)
    pitch, yaw = lean[:, :1], lean[:, 1:]
    leaning = np.stack([x + yaw * z, y - pitch * z, z + pitch * y - yaw * x], axis=-1)
    return leaning + spread * error
