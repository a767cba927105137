"""Measures of physical plausibility of a motion, from joints or vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ..geometry import Array
from .contacts import standing_steps


def foot_skate(joints: Float[np.ndarray, "t 24 3"], contacts: Float[np.ndarray, "t 4"], fps: float) -> float:
    """Mean horizontal speed of the feet while in contact, metres a second; 0 if nothing is ever in contact.

    A frame-to-frame step counts where the foot is in contact at both of its ends.
    """
    steps, standing = standing_steps(np.asarray(joints, np.float64), contacts)
    total = float(standing.sum())
    if total == 0:
        return 0.0
    speed = np.linalg.norm(steps[..., [0, 2]], axis=-1) * fps
    return float((speed * standing).sum() / total)


def depth_below_floor(points: Array, radius: Array = 0.0) -> Array:
    """How far points (*batch, 3), or balls of this radius about them, reach below the floor (y = 0), metres, at least 0."""
    return (radius - points[..., 1]).clip(min=0.0)


def floor_penetration(points: Float[np.ndarray, "t n 3"]) -> float:
    """Mean over frames of how deep the lowest point lies below the floor (y = 0), metres."""
    return float(depth_below_floor(np.asarray(points)).max(axis=1).mean())


def jitter(joints: Float[np.ndarray, "t j 3"], fps: float) -> float:
    """Mean magnitude of the joints' jerk (third difference), metres / s^3; 0 for fewer than four frames."""
    if len(joints) < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(np.asarray(joints, np.float64), n=3, axis=0), axis=-1).mean() * fps**3)
