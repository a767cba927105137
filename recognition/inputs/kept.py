"""What an input makes of a recording, kept as a file for all runs of a study; and windows cut from kept frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from augment.files import open_atomic

from ..recordings import Recording
from ..windows import Window


def kept(folder: Path | None, facts: Sequence[Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array, memory-mapped from the file that an earlier call with the same facts wrote, or made now.

    Args:
        folder: Of the files; None: it is made and not kept.
        facts: All that decides the array, content digests among them.
        make: Makes it.
    """
    if folder is None:
        return make()
    path = folder / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:24]}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = make()
        with open_atomic(path) as stream:
            np.save(stream, made)
    return np.load(path, mmap_mode="r")


def window_frames(
    small: UInt8[np.ndarray, "n h w 3"], recording: Recording, window: Window, *, frames: int, seconds: float, rate: float
) -> UInt8[Tensor, "t 3 h w"]:
    """A window's frames, evenly spaced; beyond the recording's ends the edge frame is repeated.

    Args:
        small: The recording's kept frames.
        recording: Gives its own frame rate.
        window: Its middle counts.
        frames: How many to take.
        seconds: How long the window is.
        rate: Kept frames a second, where the video has as many.
    """
    times = window.middle_sec + ((np.arange(frames) + 0.5) / frames - 0.5) * seconds
    index = np.clip(np.floor(times * min(rate, recording.fps)).astype(int), 0, len(small) - 1)
    return torch.from_numpy(small[index]).permute(0, 3, 1, 2)
