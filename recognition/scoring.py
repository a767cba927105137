"""The figures of one run, from what its classifier said of the windows; and of several inputs fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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


def with_figures(run: dict[str, Any], study: Study) -> dict[str, Any]:
    """A run with its figures: accuracy, calibration before and after temperature, alarms, hard negatives.

    Temperature and alarm threshold are set on the clips held out; without such clips these figures are None.
    """
    test = Predictions.from_json(run["test"])
    rare = list(study.classes).index(study.rare_class)
    temperature = temperature_of(run)
    after: dict[str, Any] = {"calibration_error_after": None, "brier_score_after": None}
    if temperature is not None:
        settled = statistics.with_temperature(test.probabilities, temperature)
        after["calibration_error_after"] = statistics.expected_calibration_error(settled, test.truth)
        after["brier_score_after"] = statistics.brier_score(settled, test.truth)
    watched = whole_recordings(run["watched"], temperature)
    labels, rule = study.classes[study.rare_class], alarm_rule(whole_recordings(run["held_out_watched"], temperature), study)
    return {
        **run,
        **score(test, study),
        **after,
        "temperature": temperature,
        "alarms": None if rule is None else alarm_figures(watched, rare, labels, rule=rule),
        "hard_negatives": hard_negative_figures(watched, study.hard_negatives, study.classes, rare=rare, rule=rule),
        "truth": test.truth.tolist(),
        "predicted": test.probabilities.argmax(axis=1).tolist(),
        "rare_scores": test.probabilities[:, rare].tolist(),
        "groups": test.groups,
    }


def alarm_rule(held_out: Sequence[Watched], study: Study) -> AlarmRule | None:
    """The study's rule with the threshold set on clips held out; None if these show no event."""
    rare, labels = list(study.classes).index(study.rare_class), study.classes[study.rare_class]
    windows, release = study.alarm_windows, study.alarm_release
    threshold = alarm_threshold(held_out, rare, labels, windows=windows, release=release, recall=study.alarm_recall)
    return None if threshold is None else AlarmRule(windows=windows, release=release, threshold=threshold)


def temperature_of(run: dict[str, Any]) -> float | None:
    """The temperature that the run's clips held out ask for; None without such clips."""
    if run["held_out"] is None:
        return None
    held_out = Predictions.from_json(run["held_out"])
    return statistics.fit_temperature(held_out.probabilities, held_out.truth)


def whole_recordings(watched: Sequence[dict[str, Any]], temperature: float | None) -> list[Watched]:
    """What a run said of whole recordings, after its temperature."""
    found = [Watched.from_json(values) for values in watched]
    return [replace(one, probabilities=statistics.with_temperature(one.probabilities, temperature or 1.0)) for one in found]


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
            replace(parts[0], probabilities=np.mean([part.probabilities for part in parts], axis=0)).to_json()
            for parts in zip(*columns, strict=True)
        ]

    return {
        "input": name, "arm": runs[0]["arm"], "seed": runs[0]["seed"], "losses": [],
        "test": fused("test"), "held_out": fused("held_out"),
        "watched": fused_watched("watched"), "held_out_watched": fused_watched("held_out_watched"),
        **{key: sum(run[key] for run in runs) for key in ("train_seconds", "test_seconds")},
    }  # fmt: skip
