"""Alarms on whole recordings: how many events they find, how late, and how often they are false.

The threshold is set on other recordings than those it is judged on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from .alarms import AlarmRule, Watched, alarm_level, alarming, runs_of

LATEST_SEC = 5.0
"""An alarm counts for an event until so long after its end: a person who lies there is found by it."""


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


def _in_time(watched: Watched, event: tuple[float, float]) -> Bool[np.ndarray, "n"]:
    """Windows whose alarm would count for an event: they end between its start and ``LATEST_SEC`` after its end."""
    return (watched.ends >= event[0]) & (watched.ends <= event[1] + LATEST_SEC)


def alarm_threshold(
    recordings: Sequence[Watched], rare: int, labels: Sequence[str], *, windows: int, release: float, recall: float
) -> float | None:
    """The highest threshold at which there is an alarm for ``recall`` of the events; None if there is no event.

    Args:
        recordings: Not those that the alarms are judged on.
        rare: Index of the rare class.
        labels: The frame labels of the rare class.
        windows: As in ``AlarmRule``.
        release: Likewise.
        recall: Share of the events, 0..1.
    """
    best = []
    for watched in recordings:
        level = alarm_level(watched.probabilities[:, rare], windows=windows, release=release)
        best += [float(level[_in_time(watched, event)].max(initial=0.0)) for event in events(watched, labels)]
    if not best:
        return None
    return sorted(best, reverse=True)[max(int(np.ceil(recall * len(best))), 1) - 1]


def alarm_figures(recordings: Sequence[Watched], rare: int, labels: Sequence[str], *, rule: AlarmRule) -> dict[str, Any]:
    """Events found, their delay, and false alarms, as JSON values; None if undefined.

    An alarm is false if none of its windows counts for an event. The delay is the time from an event's start to the end of the
    first window whose alarm counts for it.
    """
    found, false, delays, total = 0, 0, [], 0
    for watched in recordings:
        flags = alarming(watched.probabilities[:, rare], rule)
        counting = np.zeros(len(flags), bool)
        for event in events(watched, labels):
            in_time = _in_time(watched, event)
            counting |= in_time
            total += 1
            if hits := np.flatnonzero(flags & in_time).tolist():
                found += 1
                delays.append(float(watched.ends[hits[0]] - event[0]))
        false += sum(not counting[run].any() for run in runs_of(flags))
    hours = sum(watched.seconds for watched in recordings) / 3600
    return {
        "threshold": rule.threshold,
        "events": total,
        "events_found": found / total if total else None,
        "false_alarms": false,
        "hours": round(hours, 4),
        "false_alarms_an_hour": false / hours if hours else None,
        "delay_sec": float(np.median(delays)) if delays else None,
    }


def hard_negative_figures(
    recordings: Sequence[Watched],
    names: Sequence[str],
    classes: Mapping[str, Sequence[str]],
    *,
    rare: int,
    rule: AlarmRule | None,
) -> dict[str, dict[str, Any]]:
    """How activities that resemble the event are taken, as JSON values, for those that the recordings show.

    Args:
        recordings: What to judge.
        names: Frame labels, or actions (the table's column ``action``) of recordings without an event.
        classes: Class to frame labels.
        rare: Index of the rare class.
        rule: When there is an alarm; None: alarms are not counted.
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
            best = watched.likeliest
            taken += int((best[inside] == rare).sum())
            right += int((best[inside] == own.get(name, -1)).sum())
            if rule is not None:
                false += len(runs_of(alarming(watched.probabilities[:, rare], rule) & inside))
        if count:
            result[name] = {
                "seconds": round(seconds, 2),
                "recall": right / count if name in own else None,
                "taken_for_event": taken / count,
                "false_alarms": None if rule is None else false,
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
