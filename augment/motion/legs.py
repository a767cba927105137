"""Two-bone inverse kinematics of the legs: move the ankles; pelvis, knee plane and foot orientation are kept."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from ..geometry import axis_angle_to_matrix, rotation_vector_between
from ..types import JOINT


def rotation_between(start: Float[np.ndarray, "t 3"], end: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3 3"]:
    """The smallest rotations that turn directions ``start`` into ``end`` (lengths do not matter)."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True)
    end = end / np.linalg.norm(end, axis=-1, keepdims=True)
    return axis_angle_to_matrix(torch.from_numpy(rotation_vector_between(start, end))).numpy()


def reach_ankles(
    worlds: Float[np.ndarray, "t 24 3 3"], joints: Float[np.ndarray, "t 24 3"], targets: Float[np.ndarray, "t 2 3"]
) -> Float[np.ndarray, "t 24 3 3"]:
    """Rotate thighs and shins so that the ankles reach ``targets``.

    Args:
        worlds: World rotations of the joints.
        joints: Their positions, metres, from the same pose.
        targets: Positions of the left and right ankle, metres; if out of reach, an almost straight leg points at them.
    Returns:
        World rotations with thighs and shins changed, and all others as before.
    """
    result = worlds.copy()
    for column, side in enumerate(("left", "right")):
        hip, knee, ankle = (JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        thigh, shin = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
        upper, lower = _length(thigh), _length(shin)
        leg, wanted = joints[:, ankle] - joints[:, hip], targets[:, column] - joints[:, hip]
        straight = np.maximum(0.9995 * (upper + lower), _length(leg))
        distance = np.clip(_length(wanted), np.abs(upper - lower) + 1e-4, straight)
        swing = rotation_between(leg, wanted)
        along = wanted / np.maximum(_length(wanted), 1e-9)
        front = swing @ worlds[:, knee]
        bend = _across((swing @ thigh[..., None])[..., 0], along)
        forward = _across(front[..., 2], along)
        pole = np.where(_length(bend) > 0.02 * upper, bend, forward)
        pole = pole / np.maximum(_length(pole), 1e-9)
        cosine = np.clip((upper**2 + distance**2 - lower**2) / (2 * upper * distance), -1.0, 1.0)
        new_thigh = upper * (cosine * along + np.sqrt(1 - cosine**2) * pole)
        new_shin = distance * along - new_thigh
        result[:, hip] = rotation_between((swing @ thigh[..., None])[..., 0], new_thigh) @ swing @ worlds[:, hip]
        result[:, knee] = rotation_between((swing @ shin[..., None])[..., 0], new_shin) @ swing @ worlds[:, knee]
    return result


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def _across(vectors: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The part of the vectors perpendicular to the unit vectors ``along``."""
    return vectors - (vectors * along).sum(-1, keepdims=True) * along
