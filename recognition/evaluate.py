"""Run a classifier over test windows and sum up what it gets right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from . import statistics
from .classifiers import normalize
from .clips import Recording, Window
from .frames import FrameStore, ahead
from .train import compute_device, compute_dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a classifier says of every test window, in the windows' order."""

    probabilities: Float[np.ndarray, "n c"]
    truth: Int[np.ndarray, "n"]
    recordings: list[str]
    """Name of each window's recording."""
    groups: list[str]
    """Group of each window's recording."""
    seconds: Float[np.ndarray, "n"]
    """Time that each window stands for."""


def predict(
    network: nn.Module,
    recordings: Sequence[Recording],
    windows: Sequence[Window],
    *,
    store: FrameStore,
    precision: str = "auto",
    batch: int = 16,
    tick: Callable[[], Any] = lambda: None,
) -> Predictions:
    """Class probabilities of every window."""
    device = compute_device()
    dtype = compute_dtype(precision, device)

    def chunks() -> Any:
        for start in range(0, len(windows), batch):
            yield torch.stack([store.plain(recordings[w.recording], w) for w in windows[start : start + batch]])

    probabilities = []
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for video in ahead(chunks()):
            probabilities.append(network(normalize(video.to(device))).float().softmax(dim=1).cpu())
            tick()
    return Predictions(
        probabilities=torch.cat(probabilities).numpy(),
        truth=np.array([window.label for window in windows]),
        recordings=[recordings[window.recording].name for window in windows],
        groups=[recordings[window.recording].group for window in windows],
        seconds=np.array([window.seconds for window in windows]),
    )


def score(predictions: Predictions, classes: Sequence[str], *, rare_class: str, alarm_recall: float) -> dict[str, Any]:
    """Every figure of the report for one run, as plain JSON values; None where it is undefined."""
    probabilities, truth = predictions.probabilities, predictions.truth
    matrix = statistics.confusion(truth, probabilities.argmax(axis=1), len(classes))
    rare = list(classes).index(rare_class)
    alarms = statistics.false_alarms_per_hour(
        truth == rare, probabilities[:, rare], predictions.recordings, predictions.seconds, recall=alarm_recall
    )
    figures = {
        "macro_accuracy": statistics.macro_accuracy(matrix),
        "accuracy": float(matrix.trace() / matrix.sum()),
        "rare_average_precision": statistics.average_precision(truth == rare, probabilities[:, rare]),
        "false_alarms_per_hour": alarms,
        "calibration_error": statistics.expected_calibration_error(probabilities, truth),
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
    """The figures of one run as lines for a terminal."""

    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = [("macro accuracy", show(figures["macro_accuracy"])), ("accuracy", show(figures["accuracy"]))]
    rows += [(f"recall {name}", show(value)) for name, value in figures["recall"].items()]
    rows += [
        ("rare class: average precision", show(figures["rare_average_precision"])),
        ("rare class: false alarms an hour", show(figures["false_alarms_per_hour"])),
        ("calibration error", show(figures["calibration_error"])),
        ("windows", str(figures["windows"])),
    ]
    return rows
