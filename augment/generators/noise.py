"""Noise that is as smooth in time as motions are, part by part of the channels.

White noise hides little of a motion (it averages out over a few frames), and what a sampler of few steps leaves of it makes a
person shake. Noise with the correlation of motions hides slow and fast changes alike, and what is left of it is a slow sway.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..motion.features import FEATURES
from .conditions import ANNOTATIONS
from .dataset import MAX_FRAMES

SPANS: dict[str, float] = {
    "root": 30.0,
    "orient": 30.0,
    "joints": 30.0,
    "velocities": 4.0,
    "body": 18.0,
    "contacts": 6.0,
    "labels": 10.0,
    "center": 30.0,
    "yaw": 30.0,
}
"""Correlation length of each part, frames: by it, the mean squared changes over 1 to 16 frames are those of the library's
motions to within a factor of two."""


@lru_cache
def root_of_correlation(span: float) -> Float[Tensor, "n n"]:
    """Lower triangle that makes of white noise one with Matern 3/2 correlation: its products' covariance, in frames.

    Its first t rows and columns are that of t frames.

    Source:
        Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", eq. 4.17.
    """
    times = np.arange(MAX_FRAMES, dtype=np.float64)
    scaled = np.sqrt(3.0) * np.abs(times[:, None] - times) / span
    # The small share of white noise keeps the matrix well conditioned.
    return torch.from_numpy(np.linalg.cholesky((1 + scaled) * np.exp(-scaled) + 1e-6 * np.eye(MAX_FRAMES))).float()


def smooth(white: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t d"]:
    """White noise made smooth in time: each frame keeps unit variance, and depends on the frames before it."""
    frames = white.shape[-2]
    result = torch.empty_like(white)
    for part, where in (FEATURES | ANNOTATIONS).items():
        result[..., where] = root_of_correlation(SPANS[part])[:frames, :frames] @ white[..., where]
    return result
