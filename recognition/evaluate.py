"""Test a classifier: class probabilities of windows, and the figures computed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from . import statistics
from .alarms import Watched
from .device import autocast, compute_device
from .inputs.kinds import ClipInput
from .networks.build import to_network
from .prefetch import ahead
from .recordings import Recording
from .study import Study
from .windows import Window, evaluation_windows, sliding_middles

BATCH = 16
"""Windows that a network sees at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A classifier's output for every test window, in order."""

    probabilities: Float[np.ndarray, "n c"]
    truth: Int[np.ndarray, "n"]
    """Index of the true class."""
    recordings: list[str]
    """Name of each window's recording."""
    groups: list[str]
    """Group of each window's recording."""
    seconds: Float[np.ndarray, "n"]
    """Duration that each window represents."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values, probabilities to six digits."""
        return {
            "probabilities": np.round(self.probabilities.astype(float), 6).tolist(),
            "truth": self.truth.tolist(),
            "recordings": self.recordings,
            "groups": self.groups,
            "seconds": np.round(self.seconds, 4).tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Predictions:
        """What ``to_json`` gave."""
        arrays = {name: np.asarray(values[name], float) for name in ("probabilities", "seconds")}
        return cls(recordings=values["recordings"], groups=values["groups"], truth=np.asarray(values["truth"]), **arrays)


def fuse(predictions: Sequence[Predictions]) -> Predictions:
    """Mean of several classifiers' probabilities for the same windows.

    The arithmetic mean: a classifier that is sure and wrong moves it by its share and no more, whereas in a geometric mean one
    probability near 0 outvotes all others.

    Raises:
        ValueError: If they are not of the same windows.
    """
    first = predictions[0]
    for other in predictions[1:]:
        if other.recordings != first.recordings or not np.array_equal(other.truth, first.truth):
            raise ValueError("fuse: the classifiers were tested on different windows; test them on the same recordings")
    return replace(first, probabilities=np.mean([one.probabilities for one in predictions], axis=0))


def predict(
    network: nn.Module,
    recordings: Sequence[Recording],
    study: Study,
    *,
    store: ClipInput,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Predictions:
    """Class probabilities of every test window.

    Args:
        network: From video (b, 3, t, h, w) to logits (b, classes).
        recordings: What to test on.
        study: Gives classes, windows and precision.
        store: The recordings' decoded frames.
        progress: Called with how many windows are done, and how many there are.
    Raises:
        ValueError: If no recording has a segment of any class.
    """
    windows = evaluation_windows(recordings, study.classes, window_sec=study.window_sec)
    if not windows:
        raise ValueError(f"no test clip has a segment with a label of: {', '.join(study.classes)}")
    found, _ = _probabilities(network, recordings, windows, precision=study.precision, store=store, progress=progress)
    return Predictions(
        probabilities=found,
        truth=np.array([window.label for window in windows]),
        recordings=[recordings[window.recording].name for window in windows],
        groups=[recordings[window.recording].group for window in windows],
        seconds=np.array([window.seconds for window in windows]),
    )


def watch_whole(
    network: nn.Module,
    recordings: Sequence[Recording],
    *,
    window_sec: float,
    precision: str,
    store: ClipInput,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> list[Watched]:
    """Class probabilities of windows that slide over whole recordings, labelled or not; 0 throughout where nobody is seen.

    Args:
        network: From video (b, 3, t, h, w) to logits (b, classes).
        recordings: What to watch.
        window_sec: Length of a window, seconds.
        precision: As in ``Study``.
        store: The recordings' decoded frames.
        progress: Called with how many windows are done, and how many there are.
    """
    if not recordings:
        return []
    middles = [sliding_middles(recording.seconds, window_sec=window_sec) for recording in recordings]
    windows = [
        Window(recording=number, middle_sec=float(middle), label=-1) for number, found in enumerate(middles) for middle in found
    ]
    probabilities, shows = _probabilities(network, recordings, windows, precision=precision, store=store, progress=progress)
    probabilities = probabilities * shows[:, None]
    parts = np.split(probabilities, np.cumsum([len(found) for found in middles])[:-1])
    return [
        Watched(
            recording=recording.name, action=recording.row.get("action", ""), seconds=recording.seconds,
            segments=recording.segments, middles=found, window_sec=window_sec, probabilities=part,
        )
        for recording, found, part in zip(recordings, middles, parts, strict=True)
    ]  # fmt: skip


def _probabilities(
    network: nn.Module,
    recordings: Sequence[Recording],
    windows: Sequence[Window],
    *,
    precision: str,
    store: ClipInput,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> tuple[Float[np.ndarray, "n c"], Bool[np.ndarray, "n"]]:
    """Class probabilities of windows, in order, and whether they show anything: without a single keypoint a window is all 0."""
    device = compute_device()

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(windows), BATCH):
            yield torch.stack([store.plain(recordings[w.recording], w) for w in windows[start : start + BATCH]])

    probabilities, shows, done = [], [], 0
    with torch.inference_mode(), autocast(precision):
        for video in ahead(batches()):
            probabilities.append(network(to_network(video.to(device))).float().softmax(dim=1).cpu())
            shows += [bool(window.any()) for window in video]
            done += len(video)
            progress(done, len(windows))
    return torch.cat(probabilities).numpy(), np.array(shows)


def score(predictions: Predictions, study: Study) -> dict[str, Any]:
    """The figures of test windows, as JSON values; None if it is undefined."""
    classes = list(study.classes)
    rare = classes.index(study.rare_class)
    probabilities, truth = predictions.probabilities, predictions.truth
    matrix = statistics.confusion(truth, probabilities.argmax(axis=1), len(classes))
    figures = {
        "macro_accuracy": statistics.macro_accuracy(matrix),
        "accuracy": float(matrix.trace() / matrix.sum()),
        "rare_average_precision": statistics.average_precision(truth == rare, probabilities[:, rare]),
        "calibration_error": statistics.expected_calibration_error(probabilities, truth),
        "brier_score": statistics.brier_score(probabilities, truth),
    }
    recalls = statistics.recalls(matrix)
    return {
        **{name: _plain(value) for name, value in figures.items()},
        "recall": {name: _plain(recalls[index]) for index, name in enumerate(classes)},
        "confusion": matrix.tolist(),
        "windows": len(truth),
    }


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def table(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures of one classifier (``scoring.figures_of``) as lines for a terminal."""

    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = [("macro accuracy", show(figures["macro_accuracy"])), ("accuracy", show(figures["accuracy"]))]
    rows += [(f"recall {name}", show(value)) for name, value in figures["recall"].items()]
    rows += [
        ("rare class: average precision", show(figures["rare_average_precision"])),
        ("calibration error", show(figures["calibration_error"])),
        ("calibration error after temperature", show(figures["calibration_error_after"])),
        ("Brier score", show(figures["brier_score"])),
    ]
    if alarms := figures["alarms"]:
        false = f"{show(alarms['false_alarms_an_hour'])} ({alarms['false_alarms']} in {alarms['hours']:.3f} h)"
        rows += [
            ("alarms: events found", f"{show(alarms['events_found'])} of {alarms['events']}"),
            ("alarms: median delay, s", show(alarms["delay_sec"])),
            ("alarms: false an hour", false),
        ]
    return [*rows, ("windows", str(figures["windows"]))]
