"""The one rule by which probabilities over time become alarms, for studies and for ``recognition watch``.

Windows slide over a recording, ``windows.SLIDE_SEC`` apart. An alarm is raised when the rare class's probability has reached a
threshold in several windows in a row, at the end of the last of them: only then is it known. It lasts until the probability
falls below a share of the threshold, so that a probability about the threshold is one alarm and not many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from augment.types import Segment

UNSET_THRESHOLD = 0.5
"""The threshold where no clips were held out to set one on, and of classes other than the rare one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a classifier says of windows that slide over one whole recording."""

    recording: str
    action: str
    """What the table or the sample calls the recording; empty if it does not."""
    seconds: float
    segments: tuple[Segment, ...]
    middles: Float[np.ndarray, "n"]
    """Middle of each window, seconds."""
    window_sec: float
    probabilities: Float[np.ndarray, "n c"]
    """0 throughout in windows in which nobody is seen."""

    @property
    def ends(self) -> Float[np.ndarray, "n"]:
        """When each window is over, seconds."""
        return np.minimum(self.middles + self.window_sec / 2, self.seconds)

    @property
    def edges(self) -> Float[np.ndarray, " edges"]:
        """Where one window's stretch of time ends and the next one's begins, seconds: halfway between their middles."""
        return np.concatenate([[0.0], (self.middles[1:] + self.middles[:-1]) / 2, [self.seconds]])

    @property
    def likeliest(self) -> Int[np.ndarray, "n"]:
        """The most probable class in each window; -1 where nobody is seen."""
        return np.where(self.probabilities.any(axis=1), self.probabilities.argmax(axis=1), -1)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, probabilities to five digits."""
        return {
            "recording": self.recording,
            "action": self.action,
            "seconds": self.seconds,
            "segments": [[segment.label, segment.start_sec, segment.end_sec] for segment in self.segments],
            "middles": np.round(self.middles, 4).tolist(),
            "window_sec": self.window_sec,
            "probabilities": np.round(self.probabilities.astype(float), 5).tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Watched:
        """What ``to_json`` gave."""
        segments = tuple(Segment(label=label, start_sec=start, end_sec=end) for label, start, end in values["segments"])
        arrays = {name: np.asarray(values[name], float) for name in ("middles", "probabilities")}
        return cls(**{**values, **arrays, "segments": segments})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """When the probability of a class is an alarm."""

    windows: int
    """How many in a row must reach the threshold."""
    release: float
    """The alarm ends where the probability falls below this share of the threshold, 0..1."""
    threshold: float

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"alarm threshold {self.threshold:g}: expected a probability, 0 to 1")


def alarm_level(scores: Float[np.ndarray, "n"], *, windows: int, release: float) -> Float[np.ndarray, "n"]:
    """For each window the highest threshold at which there is an alarm at its end.

    That is the smallest score of it and those before it, ``windows`` in all, or what the alarm before it is kept up by. A
    recording of fewer windows is judged by all it has.

    Args:
        scores: Probability of the class in each window, in order of time.
        windows: How many in a row raise an alarm.
        release: See ``AlarmRule``.
    """
    windows = min(windows, len(scores))
    level = np.zeros(len(scores))
    level[windows - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, windows).min(axis=1)
    for number in range(windows, len(scores)):
        level[number] = max(level[number], min(level[number - 1], scores[number] / release))
    return level


def alarming(scores: Float[np.ndarray, "n"], rule: AlarmRule) -> Bool[np.ndarray, "n"]:
    """Whether there is an alarm at the end of each window; a probability of 0 is none."""
    return alarm_level(scores, windows=rule.windows, release=rule.release) >= max(rule.threshold, 1e-9)


def runs_of(flags: Bool[np.ndarray, "n"]) -> list[slice]:
    """The stretches where the flags are set: of ``alarming``, the alarms."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [slice(start, end) for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A stretch of time in which a class is seen, long enough for an alarm."""

    start_sec: float
    """Begin of the first of the windows in a row that raised it."""
    raised_sec: float
    """When the last of these is over: a live system knows of it then."""
    end_sec: float
    peak: float
    """Largest probability in it."""


def find_alarms(watched: Watched, which: int, rule: AlarmRule) -> list[Alarm]:
    """The alarms of a class, in order of time."""
    scores = watched.probabilities[:, which]
    first, edges, ends = min(rule.windows, len(scores)) - 1, watched.edges, watched.ends
    return [
        Alarm(
            start_sec=round(float(edges[run.start - first]), 3), raised_sec=round(float(ends[run.start]), 3),
            end_sec=round(float(edges[run.stop]), 3), peak=round(float(scores[run.start - first : run.stop].max()), 4),
        )
        for run in runs_of(alarming(scores, rule))
    ]  # fmt: skip
