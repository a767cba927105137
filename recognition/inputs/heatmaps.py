"""Input `heatmaps`: keypoints as a volume, one channel of small Gaussian spots for each point, for a 3D convolutional network.

Source:
    Duan et al. 2022, "Revisiting Skeleton-based Action Recognition" (PoseConv3D).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from ..recordings import Recording
from ..windows import Window
from .keypoints import KeypointStore

REACH = 0.8
"""The volume shows this far from the person's middle, in extents of the person."""
SPREAD = 1.0
"""Standard deviation of a spot, pixels of the volume."""


@dataclass(slots=True)
class HeatmapStore:
    """Keypoints of recordings, as ``KeypointStore`` reads and varies them, drawn when a window is cut."""

    folder: Path | None
    """Of the keypoints; no volume is kept."""
    size: int
    """Side of the maps, pixels."""
    frames: int
    """Times in a window."""
    window_sec: float
    room_gb: float | None = None
    """As of ``KeypointStore``."""
    keypoints: KeypointStore = field(init=False)

    def __post_init__(self) -> None:
        self.keypoints = KeypointStore(
            folder=self.folder, size=self.size, frames=self.frames, window_sec=self.window_sec, room_gb=self.room_gb
        )

    def get(self, recording: Recording) -> list[Float32[np.ndarray, "t 17 3"]]:
        """The recording's keypoints; ValueError as ``KeypointStore.get``."""
        return self.keypoints.get(recording)

    def plain(self, recording: Recording, window: Window) -> Float32[Tensor, "17 t size size"]:
        """A window as the network sees it, 0..1."""
        return drawn(self.keypoints.plain(recording, window), size=self.size)

    def augmented(self, recording: Recording, window: Window, *, rng: np.random.Generator) -> Float32[Tensor, "17 t size size"]:
        """A window of keypoints augmented as the input `keypoints` is."""
        return drawn(self.keypoints.augmented(recording, window, rng=rng), size=self.size)


def drawn(points: Float32[Tensor, "3 t 17"], *, size: int) -> Float32[Tensor, "17 t size size"]:
    """A spot for each point, as high as its confidence; points beyond the volume's edge leave it empty there.

    Args:
        points: x and y relative to the person's middle in extents of the person, and confidence.
        size: Side of the maps, pixels.
    """
    pixels = torch.arange(size) + 0.5
    place = (points[:2] / (2 * REACH) + 0.5) * size
    across, down = torch.exp(-((pixels - place[..., None]) ** 2) / (2 * SPREAD**2))
    spots = down[..., :, None] * across[..., None, :] * points[2, ..., None, None]
    return spots.transpose(0, 1).contiguous()
