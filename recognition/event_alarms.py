"""Alarms on whole recordings: how many events they find, how late, and how often they are false.

Windows slide over a recording. An alarm is raised when the rare class's probability has reached a threshold in several windows
in a row, at the end of the last of them: only then is it known. The threshold is set on other recordings than those it is
judged on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from augment.types import Segment

LATEST_SEC = 5.0
"""An alarm counts for an event until so long after its end: a person who lies there is found by it."""


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

    @property
    def ends(self) -> Float[np.ndarray, "n"]:
        """When each window is over, seconds."""
        return np.minimum(self.middles + self.window_sec / 2, self.seconds)

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


def events(watched: Watched, labels: Sequence[str]) -> list[tuple[float, float]]:
    """Start and end of each event, seconds: segments with one of the labels; those that touch are one."""
    found: list[tuple[float, float]] = []
    for segment in sorted(watched.segments, key=lambda segment: segment.start_sec):
        if segment.label not in labels or segment.start_sec >= watched.seconds:
            continue
        if found and segment.start_sec <= found[-1][1] + 1e-6:
            found[-1] = (found[-1][0], max(found[-1][1], segment.end_sec))
        else:
            found.append((segment.start_sec, segment.end_sec))
    return found


def sustained(scores: Float[np.ndarray, "n"], windows: int) -> Float[np.ndarray, "n"]:
    """The smallest score of each window and those before it, ``windows`` in all; 0 where there are fewer.

    It reaches a threshold where all of them do. A recording of fewer windows is judged by all it has.
    """
    windows = min(windows, len(scores))
    result = np.zeros(len(scores))
    result[windows - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, windows).min(axis=1)
    return result


def _in_time(watched: Watched, event: tuple[float, float]) -> Bool[np.ndarray, "n"]:
    """Windows whose alarm would count for an event: they end between its start and ``LATEST_SEC`` after its end."""
    return (watched.ends >= event[0]) & (watched.ends <= event[1] + LATEST_SEC)


def alarm_threshold(
    recordings: Sequence[Watched], rare: int, labels: Sequence[str], *, windows: int, recall: float
) -> float | None:
    """The highest threshold at which ``recall`` of the events raise an alarm; None if there is no event.

    Args:
        recordings: Not those that the alarms are judged on.
        rare: Index of the rare class.
        labels: The frame labels of the rare class.
        windows: How many in a row raise an alarm.
        recall: Share of the events, 0..1.
    """
    best = []
    for watched in recordings:
        scores = sustained(watched.probabilities[:, rare], windows)
        best += [float(scores[_in_time(watched, event)].max(initial=0.0)) for event in events(watched, labels)]
    if not best:
        return None
    return sorted(best, reverse=True)[max(int(np.ceil(recall * len(best))), 1) - 1]


def alarm_figures(
    recordings: Sequence[Watched], rare: int, labels: Sequence[str], *, windows: int, threshold: float
) -> dict[str, Any]:
    """Events found, their delay, and false alarms, as JSON values; None if undefined.

    A run of alarming windows is one alarm; it is false if none of its windows counts for an event. The delay is the time from
    an event's start to the end of the first window whose alarm counts for it.
    """
    found, false, delays, total = 0, 0, [], 0
    for watched in recordings:
        alarming = sustained(watched.probabilities[:, rare], windows) >= max(threshold, 1e-9)
        counting = np.zeros(len(alarming), bool)
        for event in events(watched, labels):
            in_time = _in_time(watched, event)
            counting |= in_time
            total += 1
            if hits := np.flatnonzero(alarming & in_time).tolist():
                found += 1
                delays.append(float(watched.ends[hits[0]] - event[0]))
        false += sum(not counting[run].any() for run in runs_of(alarming))
    hours = sum(watched.seconds for watched in recordings) / 3600
    return {
        "threshold": round(threshold, 5),
        "events": total,
        "events_found": found / total if total else None,
        "false_alarms": false,
        "hours": round(hours, 4),
        "false_alarms_an_hour": false / hours if hours else None,
        "delay_sec": float(np.median(delays)) if delays else None,
    }


def runs_of(flags: Bool[np.ndarray, "n"]) -> list[slice]:
    """The stretches where the flags are set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [slice(start, end) for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def hard_negative_figures(
    recordings: Sequence[Watched],
    names: Sequence[str],
    classes: Mapping[str, Sequence[str]],
    *,
    rare: int,
    windows: int,
    threshold: float | None,
) -> dict[str, dict[str, Any]]:
    """How activities that resemble the event are taken, as JSON values, for those that the recordings show.

    Args:
        recordings: What to judge.
        names: Frame labels, or actions (the table's column ``action``) of recordings without an event.
        classes: Class to frame labels.
        rare: Index of the rare class.
        windows: How many in a row raise an alarm.
        threshold: Of the alarm; None: alarms are not counted.
    Returns:
        Name to seconds shown, recall of its own class (None if it has none, or is an action), the share of windows taken for
        the event, and false alarms.
    """
    rare_labels = list(classes.values())[rare]
    own = {label: index for index, labels in enumerate(classes.values()) for label in labels}
    result = {}
    for name in names:
        seconds, taken, right, false, count = 0.0, 0, 0, 0, 0
        for watched in recordings:
            inside, lasted = _shows(watched, name, rare_labels)
            if not lasted:
                continue
            seconds, count = seconds + lasted, count + int(inside.sum())
            best = watched.probabilities.argmax(axis=1)
            taken += int((best[inside] == rare).sum())
            right += int((best[inside] == own.get(name, -1)).sum())
            if threshold is not None:
                alarming = sustained(watched.probabilities[:, rare], windows) >= max(threshold, 1e-9)
                false += len(runs_of(alarming & inside))
        if count:
            result[name] = {
                "seconds": round(seconds, 2),
                "recall": right / count if name in own else None,
                "taken_for_event": taken / count,
                "false_alarms": None if threshold is None else false,
            }
    return result


def _shows(watched: Watched, name: str, rare_labels: Sequence[str]) -> tuple[Bool[np.ndarray, "n"], float]:
    """Windows that show an activity and could raise no true alarm, and how long it lasts, seconds."""
    found = events(watched, rare_labels)
    inside, seconds = np.zeros(len(watched.middles), bool), 0.0
    if watched.action == name and not found:
        return ~inside, watched.seconds
    for segment in watched.segments:
        if segment.label == name:
            inside |= (watched.middles >= segment.start_sec) & (watched.middles < segment.end_sec)
            seconds += segment.end_sec - segment.start_sec
    for event in found:
        inside &= ~_in_time(watched, event)
    return inside, seconds
