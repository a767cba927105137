"""Results of reconstruction besides the scene: people in its world, and the quality of their fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ..types import Motion, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One person in one video, from their first to their last detection, gaps bridged."""

    video: int
    """Index into ``Reconstruction.videos``."""
    track: int
    """Unique within the video, never reused."""
    person_class: str
    """One of ``sources.people.PERSON_CLASSES``, or ``person`` where no class was given."""
    frames: Int[np.ndarray, " t"]
    """Frame numbers in the video, consecutive."""
    observed: Bool[np.ndarray, " t"]
    """False in bridged gaps."""
    motion: Motion
    """In the scene's world, at the video's rate."""
    joints: Float[np.ndarray, "t 24 3"]
    """SMPL joints, world, metres."""
    layout: str
    """Layout of ``observed2d``, a key of ``sources.people.LAYOUTS``; empty where only bodies were given."""
    observed2d: Float[np.ndarray, "t k 3"]
    """Detected points: u, v in pixels, confidence; NaN where there is none."""
    fitted2d: Float[np.ndarray, "t k 2"]
    """The same points on the fitted body, pixels."""
    reprojection_px: Float[np.ndarray, " t"]
    """Confidence-weighted mean distance between the two, pixels; NaN in gaps."""
    contact: Float[np.ndarray, "t 4"]
    """Left ankle, left foot, right ankle, right foot on the floor, 0..1."""
    height_m: float
    """Stature of the fitted body."""
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    """Energy terms at the end of each stage of the fit."""
    rejected: tuple[tuple[int, int, str], ...] = ()
    """Stretches that are not trusted: first frame, frame after the last, reason. They are not in the motion store."""

    @property
    def accepted(self) -> Bool[np.ndarray, " t"]:
        """Frames outside all rejected stretches; bridged gaps are included."""
        good = np.ones(len(self.frames), bool)
        for first, end, _ in self.rejected:
            good[max(first - int(self.frames[0]), 0) : max(end - int(self.frames[0]), 0)] = False
        return good

    @property
    def trusted(self) -> Bool[np.ndarray, " t"]:
        """Frames that are neither bridged nor rejected."""
        return self.observed & self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A tracked person who was not fitted."""

    track: int
    """Unique within the video."""
    reason: str
    """Names the file, the track and what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """A scene with the people recovered in it."""

    scene: Scene
    videos: tuple[Path, ...]
    people: tuple[Recovered, ...]
    depth: dict[str, Any] = field(default_factory=dict)
    """Scale of the depth: ``source``, ``scale``, ``offset``, ``inlier_ratio``, ``residual``, ``frames_agreed``..."""
    rejections: dict[str, int] = field(default_factory=dict)
    """Number of rejections by reason."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each step."""
