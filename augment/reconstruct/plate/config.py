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
    """Take frames in which the detector found nobody for empty; only if you looked: it misses people on the floor."""
