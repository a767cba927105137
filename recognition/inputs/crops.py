"""Inputs `person` and `motion`: a square around the person, cut once from the decoded video and kept in a small file.

`person` keeps the picture; what `motion` keeps is made in ``motion.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from ..networks.silhouette import SILHOUETTE_WEIGHTS
from ..recordings import Place, Recording, place_digest
from ..windows import Window
from .kept import KeptArrays, window_frames
from .motion import mirrored_motion, motion_crops, vary_motion
from .places import cut_square, followed, person_boxes
from .rgb import MARGIN, OVERSAMPLING, each_frame, vary_colours

GREY = (115, 115, 115)
"""Colour beyond the picture's edges: the mean with which networks normalize."""


def person_crops(recording: Recording, *, side: int, rate: float) -> UInt8[np.ndarray, "n side side 3"]:
    """A square around the person, following it, in about ``rate`` frames a second.

    Raises:
        ValueError: If the video cannot be decoded, or shows nobody.
    """
    squares = followed(person_boxes(recording), fps=recording.fps)
    return np.stack(
        [
            cut_square(frame.to_ndarray(format="rgb24"), squares[min(index, len(squares) - 1)], side=side, outside=GREY)
            for index, frame in each_frame(recording, rate=rate)
        ]
    )


def mirrored(video: UInt8[Tensor, "t 3 h w"]) -> UInt8[Tensor, "t 3 h w"]:
    """Left and right exchanged."""
    return video.flip(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CropKind:
    """What is kept of the square around the person, and how it is varied."""

    name: str
    make: Callable[..., UInt8[np.ndarray, "n side side 3"]]
    """From recording, ``side`` and ``rate`` to the kept frames."""
    mirror: Callable[[Tensor], Tensor]
    vary: Callable[..., Tensor]
    """Standard augmentation of values, from frames and ``rng``."""


PERSON = CropKind(name="person", make=person_crops, mirror=mirrored, vary=vary_colours)
MOTION = CropKind(name="motion", make=motion_crops, mirror=mirrored_motion, vary=vary_motion)


@dataclass(slots=True)
class CropStore:
    """Squares around the person, made on first use and kept as files in ``folder``; ``MARGIN`` wider than the network's."""

    kind: CropKind
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
        """Side of the kept squares, pixels."""
        return round(self.size * MARGIN)

    @property
    def rate(self) -> float:
        """Kept frames a second, where the video has as many."""
        return OVERSAMPLING * self.frames / self.window_sec

    def get(self, recording: Recording) -> UInt8[np.ndarray, "n side side 3"]:
        """The recording's squares.

        Raises:
            ValueError: If it cannot be decoded, or shows nobody.
        """
        return self.arrays.get(
            f"{recording.name}|{recording.place}",
            functools.partial(self._facts, recording),
            functools.partial(self.kind.make, recording, side=self.side, rate=self.rate),
        )

    def _facts(self, recording: Recording) -> list[Any]:
        """All that decides a recording's squares."""
        beside = [recording.keypoints, recording.mask, recording.plate and Place(path=recording.plate)]
        if recording.keypoints is None and recording.mask is None:
            beside += [Place(path=SILHOUETTE_WEIGHTS)]  # they decide where the person is
        facts = [self.kind.name, recording.digest(), self.side, self.rate, recording.fps, *map(place_digest, beside)]
        # The drawn errors of a film's keypoints depend on its labels too.
        return [*facts, recording.is_synthetic, recording.size, recording.segments]

    def plain(self, recording: Recording, window: Window) -> UInt8[Tensor, "3 t size size"]:
        """A window as the network sees it."""
        start = (self.side - self.size) // 2
        video = self._cut(recording, window, speed=1.0)[..., start : start + self.size, start : start + self.size]
        return video.permute(1, 0, 2, 3)

    def augmented(self, recording: Recording, window: Window, *, rng: np.random.Generator) -> UInt8[Tensor, "3 t size size"]:
        """A window after standard augmentation, one draw for all its frames: up to 20 % faster or slower, a square up to a
        fifth smaller or larger, each of its sides by up to 10 %, moved by up to an eighth, mirrored half of the time, values
        varied as the kind says."""
        from torchvision.transforms.v2 import functional

        video = self._cut(recording, window, speed=float(np.exp(rng.uniform(-0.2, 0.2))))
        sides = self.size * np.exp(rng.uniform(-0.2, 0.2)) * np.exp(rng.uniform(-0.1, 0.1, 2))
        height, width = (min(self.side, round(float(value))) for value in sides)
        moved = rng.uniform(-1, 1, 2) * self.size / 8
        top, left = (
            int(np.clip(round((self.side - length) / 2 + move), 0, self.side - length))
            for length, move in zip((height, width), moved, strict=True)
        )
        video = functional.resized_crop(video, top, left, height, width, [self.size, self.size], antialias=True)
        if rng.random() < 0.5:
            video = self.kind.mirror(video)
        return self.kind.vary(video, rng=rng).permute(1, 0, 2, 3)

    def _cut(self, recording: Recording, window: Window, *, speed: float) -> UInt8[Tensor, "t 3 side side"]:
        """A window's frames, evenly spaced; beyond the recording's ends the edge frame is repeated."""
        small, seconds = self.get(recording), self.window_sec * speed
        return window_frames(small, recording, window, frames=self.frames, seconds=seconds, rate=self.rate)


person_store = functools.partial(CropStore, PERSON)
"""Input `person`."""
motion_store = functools.partial(CropStore, MOTION)
"""Input `motion`."""
