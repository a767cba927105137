"""From probabilities over time to alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmOptions:
    """When the probability of the watched class is an alarm."""

    every: float = 0.25
    """Seconds between two windows."""
    smoothing: float = 0.75
    """Seconds over which probabilities are averaged, half of them later ones."""
    on: float = 0.5
    """An alarm begins where the smoothed probability reaches this."""
    off: float = 0.3
    """It ends where the probability falls below this."""
    shortest: float = 0.5
    """Shorter alarms are none, seconds."""

    def check(self) -> None:
        """Raises ValueError for a value out of range."""
        for name, low, high in (("every", 0.01, 60), ("smoothing", 0, 600), ("on", 0, 1), ("off", 0, 1), ("shortest", 0, 600)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"--alarm.{name} {getattr(self, name):g}: expected {low:g} to {high:g}")
        if self.off > self.on:
            raise ValueError(f"--alarm.off {self.off:g}: expected at most --alarm.on, which is {self.on:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A stretch of time in which the watched class is seen."""

    start_sec: float
    end_sec: float
    peak: float
    """Largest smoothed probability in it."""


def smooth(values: Float[np.ndarray, "n c"], *, width: int) -> Float[np.ndarray, "n c"]:
    """Mean over ``width`` neighbouring rows (the next odd number), fewer at the ends."""
    half = max(0, width // 2)
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0, dtype=np.float64)])
    rows = np.arange(len(values))
    low, high = np.maximum(rows - half, 0), np.minimum(rows + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)[:, None]


def find_alarms(times: Float[np.ndarray, " n"], probability: Float[np.ndarray, " n"], options: AlarmOptions) -> list[Alarm]:
    """Stretches that begin where the probability reaches ``options.on`` and end where it falls below ``options.off``."""
    alarms, begun = [], None
    half = options.every / 2
    for row, value in enumerate([*probability, -1.0]):
        if begun is None and value >= options.on:
            begun = row
        elif begun is not None and value < options.off:
            start, end = float(times[begun]) - half, float(times[row - 1]) + half
            if end - start >= options.shortest - 1e-9:
                peak = float(max(probability[begun:row]))
                alarms.append(Alarm(start_sec=round(start, 3), end_sec=round(end, 3), peak=round(peak, 4)))
            begun = None
    return alarms
