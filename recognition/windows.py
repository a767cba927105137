"""Windows: the stretches of recordings that a classifier is trained and tested on.

A window is ``window_sec`` long; its class is that of the segment at its middle. A fall lasts about a second, so a majority rule
would never call a two-second window a fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from augment.types import Segment

from .recordings import Recording, class_of_label

STRIDE_SEC = 1.0
"""Distance between the middles of neighbouring test windows."""
SLIDE_SEC = 0.5
"""Distance between the windows that slide over a whole recording."""
LEAST_WINDOWS = 3
"""Test windows in a segment, however short it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of one recording, given by its middle."""

    recording: int
    """Index into a list of recordings."""
    middle_sec: float
    label: int
    """Index of its class."""
    seconds: float = 0.0
    """Duration that the window represents in evaluation: its share of the segment."""


def middle_range(recording: Recording, segment: Segment, window_sec: float) -> tuple[float, float]:
    """The range of a segment's window middles, seconds.

    Middles lie inside the segment and, if that leaves a range, so that the whole window lies inside the recording (otherwise
    frames at its ends are repeated).
    """
    start, end = segment.start_sec, min(segment.end_sec, recording.seconds)
    low, high = max(start, window_sec / 2), min(end, recording.seconds - window_sec / 2)
    return (low, high) if low < high else (start, max(start, end))


def evaluation_windows(
    recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]], *, window_sec: float
) -> list[Window]:
    """Windows ``STRIDE_SEC`` apart in every segment of a class, at least ``LEAST_WINDOWS`` each; recordings in order."""
    index = class_of_label(classes)
    windows = []
    for number, recording in enumerate(recordings):
        for segment in sorted(recording.segments, key=lambda segment: segment.start_sec):
            if segment.label not in index or segment.start_sec >= recording.seconds:
                continue
            low, high = middle_range(recording, segment, window_sec)
            count = max(LEAST_WINDOWS, round((high - low) / STRIDE_SEC))
            seconds = (min(segment.end_sec, recording.seconds) - segment.start_sec) / count
            for i in range(count):
                middle = low + (i + 0.5) * (high - low) / count
                windows.append(Window(recording=number, middle_sec=middle, label=index[segment.label], seconds=seconds))
    return windows


def sliding_middles(seconds: float, *, window_sec: float) -> np.ndarray:
    """Middles of windows ``SLIDE_SEC`` apart over a whole recording, each inside it; one window if it is shorter. Seconds."""
    if seconds <= window_sec:
        return np.array([seconds / 2])
    return np.arange(window_sec / 2, seconds - window_sec / 2 + 1e-9, SLIDE_SEC)


class WindowSampler:
    """Draws training windows of a class: one of its recordings, then a middle in its segments of that class.

    Raises:
        ValueError: If no recording has a segment of any class.
    """

    def __init__(self, recordings: Sequence[Recording], classes: Mapping[str, Sequence[str]], *, window_sec: float) -> None:
        self.window_sec = window_sec
        self.recordings = recordings
        self.segments: list[dict[int, list[Segment]]] = [{} for _ in classes]
        index = class_of_label(classes)
        for number, recording in enumerate(recordings):
            for segment in recording.segments:
                if segment.label in index and segment.start_sec < recording.seconds:
                    self.segments[index[segment.label]].setdefault(number, []).append(segment)
        self.ranges: dict[tuple[int, int], tuple[list[tuple[float, float]], np.ndarray]] = {}
        """Of each class and recording, on first use: the middles' ranges, and their shares added up."""
        self.classes = [label for label, found in enumerate(self.segments) if found]
        """Indices of the classes that have a window."""
        if not self.classes:
            raise ValueError("no training clip has a segment of any class before its end; compare `classes` and `segments`")

    def draw(self, label: int, *, rng: np.random.Generator) -> Window:
        """A random window of a class (one of ``classes``)."""
        numbers = list(self.segments[label])
        number = numbers[int(rng.integers(len(numbers)))]
        if (label, number) not in self.ranges:
            recording, segments = self.recordings[number], self.segments[label][number]
            ranges = [middle_range(recording, segment, self.window_sec) for segment in segments]
            lengths = np.array([high - low for low, high in ranges]) + 1e-9
            shares = (lengths / lengths.sum()).cumsum()
            self.ranges[label, number] = ranges, shares / shares[-1]
        ranges, upto = self.ranges[label, number]
        low, high = ranges[int(upto.searchsorted(rng.random(), side="right"))]  # as `rng.choice` with shares, and faster
        return Window(recording=number, middle_sec=float(rng.uniform(low, high)), label=label)
