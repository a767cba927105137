"""A trained classifier over an untrimmed video: class probabilities over time, and alarms of one class."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from .alarms import Alarm, AlarmRule, Watched, find_alarms
from .evaluate import watch_whole
from .inputs.kinds import ClipInput
from .inputs.readable import require_video
from .recordings import Recording
from .scoring import tempered

NOBODY = "nobody seen"
"""Label of a stretch in which nobody is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a classifier sees in a video."""

    classes: tuple[str, ...]
    watched_for: str
    """The class of the alarms."""
    seen: Watched
    """Probability of each class in each window, after temperature."""
    rule: AlarmRule
    alarms: tuple[Alarm, ...]


def watch(
    network: nn.Module,
    recording: Recording,
    *,
    store: ClipInput,
    about: dict[str, Any],
    watch_for: str,
    rule: AlarmRule,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Timeline:
    """Slide windows over a video, as a study does over its test recordings.

    Args:
        network: From windows to logits.
        recording: The video; its segments are not used.
        store: Cuts the windows.
        about: What the checkpoint says: ``classes``, ``window_sec``, ``precision``, ``temperature``.
        watch_for: The class of the alarms.
        rule: When there is an alarm.
        progress: Called with how many windows are done, and how many there are.
    Raises:
        ValueError: If the video cannot be read, or has a single frame.
    """
    require_video(recording)
    settings = {name: about[name] for name in ("window_sec", "precision")}
    found = watch_whole(network, [recording], store=store, progress=progress, **settings)
    (seen,) = tempered(found, about["temperature"])
    classes = tuple(about["classes"])
    alarms = find_alarms(seen, classes.index(watch_for), rule)
    return Timeline(classes=classes, watched_for=watch_for, seen=seen, rule=rule, alarms=tuple(alarms))


def stretches(timeline: Timeline) -> list[dict[str, Any]]:
    """The most probable class over time, as stretches of one class, or of `NOBODY`."""
    labels, edges = timeline.seen.likeliest, np.round(timeline.seen.edges, 3).tolist()
    cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return [
        {"label": timeline.classes[labels[a]] if labels[a] >= 0 else NOBODY, "start_sec": edges[a], "end_sec": edges[b]}
        for a, b in itertools.pairwise(cuts)
    ]


def in_words(timeline: Timeline, *, most: int = 20) -> str:
    """The most probable classes over time, as a line: ``standing 0.0-3.2 s, fall 3.2-4.8 s``; of many stretches the first."""
    found = stretches(timeline)
    line = ", ".join(f"{one['label']} {one['start_sec']:.1f}-{one['end_sec']:.1f} s" for one in found[:most])
    return line + (f", and {len(found) - most} more stretches" if len(found) > most else "")


def timeline_json(timeline: Timeline, **details: Any) -> dict[str, Any]:
    """The timeline as JSON values; ``details`` go in too."""
    return {
        "format": "understudy-timeline-2",
        **details,
        "watched_for": timeline.watched_for,
        "alarm_rule": asdict(timeline.rule),
        "alarms": [asdict(alarm) for alarm in timeline.alarms],
        "segments": stretches(timeline),
        "classes": list(timeline.classes),
        "window_sec": timeline.seen.window_sec,
        "times": np.round(timeline.seen.middles, 4).tolist(),
        "probabilities": np.round(timeline.seen.probabilities.astype(float), 4).tolist(),
    }
