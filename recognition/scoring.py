"""The figures of one run, from what its classifier said of the windows; and of several inputs fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import statistics
from .alarms import AlarmRule, Watched
from .evaluate import Predictions, fuse, score
from .event_alarms import alarm_figures, alarm_threshold, hard_negative_figures
from .study import Study

OUTPUTS = ("test", "watched", "held_out", "held_out_watched")
"""What a run holds of its classifier's output: windows of the test clips, windows that slide over them, and both of the clips
held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What was set on clips held out; None for what they could not show."""

    temperature: float | None
    rule: AlarmRule | None


def settle(held_out: Predictions | None, watched: Sequence[Watched], study: Study) -> Settled:
    """The temperature at which held-out windows are likeliest, then the alarm threshold that finds their events.

    Args:
        held_out: Windows of the clips held out; None if there are none.
        watched: Windows that slide over them.
        study: Its rule of alarms.
    """
    if held_out is None:
        return Settled(temperature=None, rule=None)
    temperature = statistics.fit_temperature(held_out.probabilities, held_out.truth)
    rare, labels = list(study.classes).index(study.rare_class), study.classes[study.rare_class]
    windows, release = study.alarm_windows, study.alarm_release
    threshold = alarm_threshold(
        tempered(watched, temperature), rare, labels, windows=windows, release=release, recall=study.alarm_recall
    )
    rule = None if threshold is None else AlarmRule(windows=windows, release=release, threshold=threshold)
    return Settled(temperature=temperature, rule=rule)


def tempered(watched: Sequence[Watched], temperature: float | None) -> list[Watched]:
    """What was watched, with probabilities after temperature; as they are where it is None."""
    if temperature is None:
        return list(watched)
    return [replace(one, probabilities=statistics.with_temperature(one.probabilities, temperature)) for one in watched]


def figures_of(test: Predictions, watched: Sequence[Watched], study: Study, *, settled: Settled) -> dict[str, Any]:
    """All figures of a classifier on test clips, as JSON values: accuracy, calibration, alarms, hard negatives.

    What needs a temperature or an alarm threshold is None without one.

    Args:
        test: Windows of the test clips, before temperature.
        watched: Windows that slide over them, likewise.
        study: Its classes.
        settled: What was set on other clips.
    """
    rare, temperature, rule = list(study.classes).index(study.rare_class), settled.temperature, settled.rule
    after: dict[str, Any] = {"calibration_error_after": None, "brier_score_after": None}
    if temperature is not None:
        probabilities = statistics.with_temperature(test.probabilities, temperature)
        after["calibration_error_after"] = statistics.expected_calibration_error(probabilities, test.truth)
        after["brier_score_after"] = statistics.brier_score(probabilities, test.truth)
    watched, labels = tempered(watched, temperature), study.classes[study.rare_class]
    return {
        **score(test, study),
        **after,
        "temperature": temperature,
        "alarms": None if rule is None else alarm_figures(watched, rare, labels, rule=rule),
        "hard_negatives": hard_negative_figures(watched, study.hard_negatives, study.classes, rare=rare, rule=rule),
    }


def with_figures(run: dict[str, Any], study: Study) -> dict[str, Any]:
    """A run of a study with its figures; temperature and alarm threshold are set on the clips held out."""
    test, rare = Predictions.from_json(run["test"]), list(study.classes).index(study.rare_class)
    watched, held_out_watched = ([Watched.from_json(one) for one in run[name]] for name in ("watched", "held_out_watched"))
    return {
        **run,
        **figures_of(test, watched, study, settled=settle(_held_out(run), held_out_watched, study)),
        "truth": test.truth.tolist(),
        "predicted": test.probabilities.argmax(axis=1).tolist(),
        "rare_scores": test.probabilities[:, rare].tolist(),
        "groups": test.groups,
    }


def _held_out(run: dict[str, Any]) -> Predictions | None:
    return None if run["held_out"] is None else Predictions.from_json(run["held_out"])


def _mean(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of several inputs' probabilities, in each window over those that see somebody."""
    seeing = np.sum([part.any(axis=1) for part in parts], axis=0)
    return np.sum(parts, axis=0) / np.maximum(seeing, 1)[:, None]


def temperature_of(run: dict[str, Any]) -> float | None:
    """The temperature that the run's clips held out ask for; None without such clips."""
    held_out = _held_out(run)
    return None if held_out is None else statistics.fit_temperature(held_out.probabilities, held_out.truth)


def whole_recordings(watched: Sequence[dict[str, Any]], temperature: float | None) -> list[Watched]:
    """What a run said of whole recordings, after its temperature."""
    return tempered([Watched.from_json(values) for values in watched], temperature)


def fuse_runs(runs: Sequence[dict[str, Any]], *, name: str) -> dict[str, Any]:
    """The run of several inputs together: the mean of their probabilities, each after its own temperature.

    Temperatures first, so that an input that is too sure of itself does not outweigh the others.
    """
    temperatures = [temperature_of(run) or 1.0 for run in runs]

    def fused(output: str) -> dict[str, Any] | None:
        if runs[0][output] is None:
            return None
        parts = [Predictions.from_json(run[output]) for run in runs]
        return fuse([
            replace(part, probabilities=statistics.with_temperature(part.probabilities, temperature))
            for part, temperature in zip(parts, temperatures, strict=True)
        ]).to_json()  # fmt: skip

    def fused_watched(output: str) -> list[dict[str, Any]]:
        columns = [whole_recordings(run[output], temperature) for run, temperature in zip(runs, temperatures, strict=True)]
        return [
            replace(parts[0], probabilities=_mean([part.probabilities for part in parts])).to_json()
            for parts in zip(*columns, strict=True)
        ]

    return {
        "input": name, "arm": runs[0]["arm"], "seed": runs[0]["seed"], "losses": [],
        "test": fused("test"), "held_out": fused("held_out"),
        "watched": fused_watched("watched"), "held_out_watched": fused_watched("held_out_watched"),
        **{key: sum(run[key] for run in runs) for key in ("train_seconds", "test_seconds")},
    }  # fmt: skip
