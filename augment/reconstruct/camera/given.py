"""Inputs of calibration besides people: the picture, and the user's measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Known measurements; None is estimated (or, without people, guessed)."""

    person_height: float | None = None
    """Stature of the person in the videos, metres; 1.70 where it is not known. All lengths scale with it, so measure it."""
    focal: float | None = None
    """Focal length, pixels, if known."""
    camera_height: float | None = None
    """Height of the camera above the floor, metres, if known."""
    pitch: float | None = None
    """Degrees the camera looks down, if known."""
    roll: Annotated[float | None, tyro.conf.Fixed, tyro.conf.Suppress] = None
    """Degrees the picture's content is turned counter-clockwise, if known."""

    @property
    def stature(self) -> float:
        """``person_height``, or an ordinary one. Metres."""
        return 1.70 if self.person_height is None else self.person_height

    @property
    def sigma_stature(self) -> float:
        """Expected error of ``stature``, as a share."""
        return 0.07 if self.person_height is None else 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Size of a video's frames, and the picture's extent inside black bars."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    content: tuple[int, int, int, int] | None = None
    """x0, y0, x1, y1 inside the black bars, pixels; None where there are none."""

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the content, pixels: the assumed principal point."""
        x0, y0, x1, y1 = self.content or (0, 0, self.width, self.height)
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def content_width(self) -> int:
        """Pixels."""
        return self.width if self.content is None else self.content[2] - self.content[0]
