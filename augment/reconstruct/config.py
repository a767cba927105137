"""What a reconstruction is made from, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .bodies.config import FitConfig
from .camera.given import Given
from .plate.config import Sampling

if TYPE_CHECKING:
    from ..sources.depth.maps import DepthMaps
    from ..sources.people.people import People


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One video with its detections, depth maps and annotations."""

    video: Path
    keypoints: Path | People | None = None
    hmr: Path | None = None
    depth: DepthMaps | Path | None = None
    annotated: Path | None = None
    """Keypoints or boxes of annotated people (COCO JSON with ``track_id``), for whom ``segments`` holds labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructConfig:
    """How a reconstruction is made."""

    given: Given = field(default_factory=Given)
    """Known measurements."""
    depth_kind: Literal["disparity", "depth", "metric"] | None = None
    """What the depth maps hold, where the file does not state it."""
    depth_encoding: Literal["plain", "nyu", "sun"] = "plain"
    """Encoding of 16-bit depth pictures."""
    depth_scale: float = 1000.0
    """Units a metre of 16-bit depth pictures: PrimeSense 1000, TUM 5000."""
    prior: Path | None = None
    """Pose or motion prior from `augment priors train`; the package's own by default."""
    max_overlays: int = 6
    """Clips that get an overlay video in the report."""
    seed: int = 0
    """Seed of all random numbers."""
    fit: FitConfig = field(default_factory=FitConfig)
    """How people are fitted."""
    people: Annotated[bool, tyro.conf.Fixed, tyro.conf.Suppress] = True
    """Whether people are tracked and fitted. If not, the room alone is made: each video's keypoints are one person's, taken as
    they are; they calibrate the camera, say where the floor is, and are kept out of the plate."""
    sampling: Annotated[Sampling, tyro.conf.Fixed, tyro.conf.Suppress] = field(default_factory=Sampling)
    """Frames the plate is made from."""
    mask: Annotated[Any, tyro.conf.Fixed, tyro.conf.Suppress] = None
    """True where somebody sat still and is to be painted out of the plate. Shape (h, w), bool."""
