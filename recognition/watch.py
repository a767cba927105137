"""A trained classifier over an untrimmed video: class probabilities over time, and alarms of one class."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .alarms import Alarm, AlarmOptions, find_alarms, smooth
from .device import autocast, compute_device
from .evaluate import BATCH
from .inputs.kinds import ClipInput
from .inputs.readable import require_video
from .networks.build import to_network
from .prefetch import ahead
from .recordings import Recording
from .windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a classifier sees in a video."""

    classes: tuple[str, ...]
    watched: str
    """The class of the alarms."""
    times: Float[np.ndarray, " n"]
    """Middles of the windows, seconds."""
    raw: Float[np.ndarray, "n c"]
    """Probability of each class in each window."""
    smoothed: Float[np.ndarray, "n c"]
    """The same, averaged over time; alarms come from it."""
    alarms: tuple[Alarm, ...]


def watch(
    network: nn.Module,
    recording: Recording,
    *,
    store: ClipInput,
    about: dict[str, Any],
    watched: str,
    options: AlarmOptions,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Timeline:
    """Slide windows over a video.

    Args:
        network: From windows to logits.
        recording: The video; its segments are not used.
        store: Cuts the windows.
        about: What the checkpoint says: ``classes``, ``precision``.
        watched: The class of the alarms.
        options: Windows and alarms.
        progress: Called with how many windows are done, and how many there are.
    Raises:
        ValueError: If the video cannot be read, or has a single frame.
    """
    require_video(recording)
    times = (np.arange(max(1, int(recording.seconds / options.every))) + 0.5) * options.every
    device, probabilities = compute_device(), []

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(times), BATCH):
            some = [Window(recording=0, middle_sec=float(time), label=0) for time in times[start : start + BATCH]]
            yield torch.stack([store.plain(recording, window) for window in some])

    done = 0
    with torch.inference_mode(), autocast(about["precision"]):
        for video in ahead(batches()):
            probabilities.append(network(to_network(video.to(device))).float().softmax(dim=1).cpu())
            done += len(video)
            progress(done, len(times))
    classes, raw = tuple(about["classes"]), torch.cat(probabilities).numpy()
    smoothed = smooth(raw, width=round(options.smoothing / options.every))
    alarms = find_alarms(times, smoothed[:, classes.index(watched)], options)
    return Timeline(classes=classes, watched=watched, times=times, raw=raw, smoothed=smoothed, alarms=tuple(alarms))


def stretches(timeline: Timeline) -> list[dict[str, Any]]:
    """The most probable class over time, as stretches of one class."""
    labels, half = timeline.smoothed.argmax(axis=1), float(timeline.times[0])
    cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return [
        {"label": timeline.classes[labels[a]], "start_sec": round(float(timeline.times[a]) - half, 3),
         "end_sec": round(float(timeline.times[b - 1]) + half, 3)}
        for a, b in itertools.pairwise(cuts)
    ]  # fmt: skip


def timeline_json(timeline: Timeline, **details: Any) -> dict[str, Any]:
    """The timeline as JSON values; ``details`` go in too."""

    def rounded(values: np.ndarray) -> Sequence[Any]:
        return np.round(values.astype(float), 4).tolist()

    return {
        "format": "understudy-timeline-1",
        **details,
        "watched": timeline.watched,
        "alarms": [{"start_sec": a.start_sec, "end_sec": a.end_sec, "peak": a.peak} for a in timeline.alarms],
        "segments": stretches(timeline),
        "classes": list(timeline.classes),
        "times": rounded(timeline.times),
        "probabilities": rounded(timeline.smoothed),
        "raw_probabilities": rounded(timeline.raw),
    }
