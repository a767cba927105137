"""What a reconstruction is made from, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from ..sources.depth.maps import DepthMaps
from ..sources.people.people import People
from .bodies.config import FitConfig
from .camera.calibrate import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One video and what goes with it."""

    video: Path
    keypoints: Path | People | None = None
    hmr: Path | None = None
    depth: DepthMaps | Path | None = None
    annotated: Path | None = None
    """Keypoints or boxes of annotated people (COCO JSON with ``track_id``), for whom ``segments`` holds labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructConfig:
    """How a reconstruction is made."""

    person_height: float = 1.70
    """Stature of whoever walks in the videos, metres; all measures scale with it."""
    given: Given = field(default_factory=Given)
    """What is known of the camera."""
    prior: Path | None = None
    """Pose or motion prior; None takes the one the package brings."""
    fit: FitConfig = field(default_factory=FitConfig)
    """How people are fitted."""
    depth_frames: int = 16
    """Frames of a video whose depth maps are compared with bodies."""
    depth_kind: str | None = None
    """``disparity``, ``depth`` or ``metric``; None tells by the file."""
    depth_encoding: str = "plain"
    depth_scale: float = 1000.0
    """Units a metre of 16-bit depth pictures."""
    mask: Bool[np.ndarray, "h w"] | None = None
    """True where somebody sat still and is to be painted out of the plate."""
    max_overlays: int = 6
    """Clips that get an overlay video in the report."""
    seed: int = 0
    """Decides what RANSAC draws."""
