"""Options of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How people are fitted."""

    prior_weight: float = 1.0
    """Weight of the pose prior; 0 leaves it out."""
    smoothness: float = 1.0
    """Factor on the cost of acceleration: more is smoother, less follows falls closer."""
    refine_camera: bool = False
    """Let focal length, pitch and height of the camera move with the fit."""
    iterations: Annotated[tuple[int, int, int], tyro.conf.Fixed, tyro.conf.Suppress] = (80, 100, 150)
    """Steps of each of the three stages: root, pose, everything."""
