"""Input `rgb`, whole frames: every video is decoded once, at a small size, to a file that windows are cut from.

The frames are stored in ``.npy`` files that are memory-mapped, not loaded. They take 3 x (5/4 size)^2 bytes a kept frame on
disk; an hour of video at 160 px and 8 kept frames a second is 3.5 GB.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from ..recordings import Recording
from ..windows import Window
from .kept import KeptArrays, window_frames
from .stated import require_frames

MARGIN = 1.25
"""Frames are kept this much larger than the network's picture, so that a random crop loses no sharpness."""
OVERSAMPLING = 2
"""Frames are kept at this many times the rate at which a window takes them."""


def each_frame(recording: Recording, *, rate: float) -> Iterator[tuple[int, Any]]:
    """Decode a video frame by frame, giving about ``rate`` of them a second.

    Args:
        recording: What to decode.
        rate: Frames a second to give; never more than there are.
    Yields:
        The frame's number in the video, and PyAV's frame.
    Raises:
        ValueError: If it is missing, not a video, ends early, or is longer than its row says.
    """
    import av

    keep = min(rate, recording.fps)
    given, decoded = 0, 0
    try:
        video = recording.video()
        with av.open(str(video) if isinstance(video, Path) else io.BytesIO(video), mode="r") as container:
            if not container.streams.video:
                raise ValueError(f"{recording.name}: no video stream in it")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                if decoded >= round(given * recording.fps / keep):
                    yield decoded, frame
                    given += 1
                decoded += 1
    except FileNotFoundError as error:
        raise ValueError(f"{recording.name}: no such file: {recording.path}") from error
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{recording.name}: not a decodable video ({error.strerror})") from error
    require_frames(recording, decoded)


def decode_small(recording: Recording, *, side: int, rate: float) -> UInt8[np.ndarray, "n side side 3"]:
    """Decode a video, keeping about ``rate`` frames a second, each squeezed into a square.

    The picture is squeezed, not cropped, because a fall often ends at its edge.

    Args:
        recording: What to decode.
        side: Pixels.
        rate: Frames a second to keep; never more than there are.
    Raises:
        ValueError: If it is missing, not a video, or ends early.
    """
    frames = []
    for _, frame in each_frame(recording, rate=rate):
        small = frame.reformat(width=side, height=side, format="rgb24", interpolation="AREA")
        frames.append(small.to_ndarray())
    return np.stack(frames)


def vary_colours(video: UInt8[Tensor, "t 3 h w"], *, rng: np.random.Generator) -> UInt8[Tensor, "t 3 h w"]:
    """One draw for all frames: brightness, contrast and saturation by up to 40 %, hue by up to 0.05 turns."""
    from torchvision.transforms.v2 import functional

    video = functional.adjust_brightness(video, float(rng.uniform(0.6, 1.4)))
    video = functional.adjust_contrast(video, float(rng.uniform(0.6, 1.4)))
    video = functional.adjust_saturation(video, float(rng.uniform(0.6, 1.4)))
    return functional.adjust_hue(video, float(rng.uniform(-0.05, 0.05)))


@dataclass(slots=True)
class FrameStore:
    """Small frames of recordings, decoded on first use and kept as files in ``folder``."""

    folder: Path | None
    """None: they are held in memory."""
    size: int
    """Side of the network's picture, pixels."""
    frames: int
    """Frames a window."""
    window_sec: float
    room_gb: float | None = None
    """Disk that the kept files may take, 1e9 bytes; the rest is decoded when it is asked for. None: no limit."""
    arrays: KeptArrays = field(init=False)

    def __post_init__(self) -> None:
        self.arrays = KeptArrays(self.folder, self.room_gb)

    @property
    def side(self) -> int:
        """Side of the kept frames, pixels."""
        return round(self.size * MARGIN)

    @property
    def rate(self) -> float:
        """Kept frames a second, where the video has as many."""
        return OVERSAMPLING * self.frames / self.window_sec

    def get(self, recording: Recording) -> UInt8[np.ndarray, "n side side 3"]:
        """The recording's small frames.

        Raises:
            ValueError: If it cannot be decoded.
        """
        return self.arrays.get(
            f"{recording.name}|{recording.place}",
            lambda: ["rgb", recording.digest(), self.side, self.rate, recording.fps, recording.frames],
            functools.partial(decode_small, recording, side=self.side, rate=self.rate),
        )

    def cut(self, recording: Recording, window: Window) -> UInt8[Tensor, "t 3 side side"]:
        """A window's frames, at the size they are kept in."""
        small = self.get(recording)
        return window_frames(small, recording, window, frames=self.frames, seconds=self.window_sec, rate=self.rate)

    def plain(self, recording: Recording, window: Window) -> UInt8[Tensor, "3 t size size"]:
        """A window as the network sees it."""
        from torchvision.transforms.v2 import functional

        video = functional.resize(self.cut(recording, window), [self.size, self.size], antialias=True)
        return video.permute(1, 0, 2, 3)

    def augmented(self, recording: Recording, window: Window, *, rng: np.random.Generator) -> UInt8[Tensor, "3 t size size"]:
        """A window after standard augmentation, one draw for all its frames: a crop of 50 to 100 % of the area with an aspect
        of 3/4 to 4/3, mirrored half of the time, brightness, contrast and saturation by up to 40 %, hue by up to 0.05 turns."""
        from torchvision.transforms.v2 import functional

        video = self.cut(recording, window)
        area, aspect = rng.uniform(0.5, 1.0), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        height = min(self.side, round(self.side * float(np.sqrt(area / aspect))))
        width = min(self.side, round(self.side * float(np.sqrt(area * aspect))))
        top, left = int(rng.integers(self.side - height + 1)), int(rng.integers(self.side - width + 1))
        video = functional.resized_crop(video, top, left, height, width, [self.size, self.size], antialias=True)
        if rng.random() < 0.5:
            video = functional.horizontal_flip(video)
        return vary_colours(video, rng=rng).permute(1, 0, 2, 3)
