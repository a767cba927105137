"""What an input makes of a recording, kept as a file for all runs of a study; and windows cut from kept frames."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from augment.files import open_atomic

from ..recordings import Recording
from ..windows import Window

MOST_OPEN = 20_000
"""Files mapped at a time; Linux allows a process 65,530."""
LOOK_EVERY = 64
"""Files written between two looks at how full the folder is."""


@dataclass(slots=True)
class KeptArrays:
    """Arrays made of recordings: files in a folder, for all processes and runs of a study, mapped and not loaded.

    What finds no room in the folder is made again whenever it is asked for, and so is the same.
    """

    folder: Path | None
    """None: they are held in memory."""
    room_gb: float | None = None
    """All files of the folder together take no more, 1e9 bytes; None: no limit."""
    opened: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays by their key, the latest last."""
    used: float = 0.0
    """Bytes in the folder when it was last looked at, and what was written since."""
    writes: int = 0
    """Files written."""

    def get(self, key: str, facts: Callable[[], Sequence[Any]], make: Callable[[], np.ndarray]) -> np.ndarray:
        """An array: the one opened before, the file that an earlier call with the same facts wrote, or made now.

        Args:
            key: Names it for this object's life.
            facts: Gives all that decides the array, content digests among them.
            make: Makes it.
        """
        if key in self.opened:
            return self.opened[key]
        if self.folder is None:
            self.opened[key] = make()
            return self.opened[key]
        path = self.folder / f"{hashlib.sha256(repr(facts()).encode()).hexdigest()[:24]}.npy"
        if not path.exists():
            made = make()
            if not self._has_room(made.nbytes):
                return made
            self.folder.mkdir(parents=True, exist_ok=True)
            with open_atomic(path) as stream:
                np.save(stream, made)
        while len(self.opened) >= MOST_OPEN:
            del self.opened[next(iter(self.opened))]
        self.opened[key] = np.load(path, mmap_mode="r")
        return self.opened[key]

    def _has_room(self, size: int) -> bool:
        if self.room_gb is None or self.folder is None:
            return True
        if self.writes % LOOK_EVERY == 0 and self.folder.is_dir():  # other processes write there too
            self.used = sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.name.endswith(".npy"))
        if self.used + size > self.room_gb * 1e9:
            return False
        self.used, self.writes = self.used + size, self.writes + 1
        return True


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
