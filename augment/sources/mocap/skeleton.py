"""What a motion file without SMPL parameters gives: where joints are and, in most formats, how they are turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class SkeletonRecording:
    """The joints of one person over time, +y up, in the file's unit."""

    name: str
    """The file's name without its ending."""
    joints: tuple[str, ...]
    """Names; ``motion.skeletons`` knows which of SMPL's joints they drive."""
    positions: Float[np.ndarray, "t j 3"]
    rotations: Float[np.ndarray, "t j 3 3"] | None
    """In the file's world; None for a file of positions alone, whose joints have SMPL's names."""
    fps: float
    """Frames a second."""

    def __len__(self) -> int:
        return len(self.positions)


def whole_rate(frame_time: float) -> float:
    """Frames a second from seconds a frame; one rounded in the file (0.0333333, 0.008333) gives back its whole rate."""
    fps = 1.0 / frame_time
    return float(round(fps)) if abs(fps - round(fps)) < 2e-3 * fps else fps
