"""Balls that approximate a body where its mesh would be too slow: for shadows and for collisions."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32

from ..geometry import Array
from ..types import JOINT

BALLS: tuple[tuple[str, str, float, float], ...] = (
    ("pelvis", "pelvis", 0.0, 0.13), ("pelvis", "spine2", 0.5, 0.13), ("spine2", "spine3", 0.5, 0.13),
    ("spine3", "neck", 0.5, 0.12), ("neck", "head", 1.5, 0.10),
    *((f"{side}_{a}", f"{side}_{b}", share, radius) for side in ("left", "right") for a, b, share, radius in (
        ("hip", "knee", 0.1, 0.095), ("hip", "knee", 0.5, 0.08), ("hip", "knee", 0.95, 0.062),
        ("knee", "ankle", 0.5, 0.055), ("ankle", "foot", 0.0, 0.05), ("ankle", "foot", 0.6, 0.045),
        ("ankle", "foot", 1.2, 0.035), ("shoulder", "elbow", 0.0, 0.065), ("shoulder", "elbow", 0.5, 0.05),
        ("elbow", "wrist", 0.1, 0.045), ("elbow", "wrist", 0.6, 0.04), ("wrist", "hand", 0.8, 0.04),
    )),
)  # fmt: skip
"""Each ball lies between two joints: their names, the share of the way from the first to the second, the radius in metres."""
RADII: Float32[np.ndarray, "b"] = np.array([radius for _, _, _, radius in BALLS], np.float32)
"""Radii of ``BALLS``, metres."""
_FIRST, _SECOND = [JOINT[first] for first, _, _, _ in BALLS], [JOINT[second] for _, second, _, _ in BALLS]
_SHARE = np.array([share for _, _, share, _ in BALLS])[:, None]


def ball_centers(joints: Array) -> Array:
    """Centres of ``BALLS``, (*batch, b, 3), of bodies with joints (*batch, 24, 3); NumPy or torch, metres, same frame."""
    share = torch.as_tensor(_SHARE, dtype=joints.dtype) if isinstance(joints, torch.Tensor) else _SHARE
    return joints[..., _FIRST, :] * (1 - share) + joints[..., _SECOND, :] * share
