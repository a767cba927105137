"""Options of a plate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which frames the plate is made from."""

    frames: int = 200
    """Frames sampled for the plate, over all videos."""
    empty: tuple[float, float] | None = None
    """First and last second of a stretch of the first video with nobody in the picture: the plate is taken from it alone."""
    trust_undetected: bool = False
    """Treat frames without detections as empty. Check them first: detectors miss people on the floor."""
