"""Turn finished runs into the comparison of arms: means, intervals and a verdict in words."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from . import statistics
from .data import StudyData
from .evaluate import Predictions, fuse, score
from .input_settings import FUSED, InputSettings
from .inputs.kinds import INPUTS
from .recordings import describe
from .statistics import Interval
from .study import Study

METRICS: dict[str, str] = {
    "macro_accuracy": "macro accuracy",
    "rare_average_precision": "average precision of the rare class",
    "false_alarms_per_hour": "false alarms an hour",
    "calibration_error": "calibration error",
}
"""Figures averaged over seeds, with their names in the report."""


def summarize(
    data: StudyData, runs: Sequence[dict[str, Any]], *, workers: int = 1, threads: int = 1, reused: int = 0
) -> dict[str, Any]:
    """Everything the report says, as JSON values.

    Args:
        data: The study with its clips.
        runs: What ``ablation.run_one`` returned: every input, arm and seed.
        workers: Runs that were made at a time.
        threads: Threads of each run.
        reused: How many of the runs were made earlier.
    """
    study = data.study
    scored = [_scored(run, study) for run in runs]
    names = list(study.each_input())
    if len(names) > 1:
        scored += _fused_runs(scored, names, study)
        names.append(FUSED)
    inputs = {name: _of_input(name, [run for run in scored if run["input"] == name], study) for name in names}
    warnings = list(data.warnings)
    if unreadable := runs[0]["unreadable"]:
        warnings.append(f"{len(unreadable)} video(s) could not be read and were left out: {'; '.join(unreadable[:5])}.")
    training = {
        name: {"real": describe(clips.real, study.classes), "synthetic": describe(clips.synthetic, study.classes)}
        for name, clips in data.training.items()
    }
    train, test = (sum(run[key] for run in runs) for key in ("train_seconds", "test_seconds"))
    return {
        "study": study.model_dump(mode="json"),
        "baseline": study.baseline_arm,
        "chance": 1 / len(set(scored[0]["truth"])),
        "inputs": inputs,
        "verdicts": [line for one in inputs.values() for line in one["verdicts"]],
        "warnings": warnings,
        "data": {"training": training, "test": describe(data.test, study.classes)},
        "runs": scored,
        "reused_runs": reused,
        "made": {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
            "train_seconds": round(train, 1),
            "test_seconds": round(test, 1),
            "workers": workers,
            "threads": threads,
        },
    }


def _scored(run: dict[str, Any], study: Study) -> dict[str, Any]:
    """A run with its figures, and each window's prediction in place of its probabilities."""
    predictions = Predictions.from_json(run["test"])
    rare = list(study.classes).index(study.rare_class)
    return {
        **run,
        **score(predictions, study),
        "truth": predictions.truth.tolist(),
        "predicted": predictions.probabilities.argmax(axis=1).tolist(),
        "rare_scores": predictions.probabilities[:, rare].tolist(),
        "groups": predictions.groups,
    }


def _fused_runs(runs: Sequence[dict[str, Any]], names: Sequence[str], study: Study) -> list[dict[str, Any]]:
    """For every arm and seed, what the mean of all inputs' probabilities says."""
    found = {(run["input"], run["arm"], run["seed"]): run for run in runs}
    fused = []
    for arm in study.arms:
        for seed in study.seeds:
            parts = [found[name, arm.name, seed] for name in names]
            test = fuse([Predictions.from_json(part["test"]) for part in parts])
            run = {"input": FUSED, "arm": arm.name, "seed": seed, "losses": [], "test": test.to_json()}
            seconds = {key: sum(part[key] for part in parts) for key in ("train_seconds", "test_seconds")}
            fused.append(_scored({**run, **seconds}, study))
    return fused


def _of_input(name: str, runs: Sequence[dict[str, Any]], study: Study) -> dict[str, Any]:
    """One input: its settings, its arms over the seeds, and their comparisons."""
    by_arm = {arm.name: [run for run in runs if run["arm"] == arm.name] for arm in study.arms}
    for arm_runs in by_arm.values():
        arm_runs.sort(key=lambda run: study.seeds.index(run["seed"]))
    comparisons = [
        _compare(by_arm[arm.name], by_arm[study.baseline_arm], arm.name, study.baseline_arm)
        for arm in study.arms
        if arm.name != study.baseline_arm and not arm.reference
    ]
    several = f"{name}: " if study.inputs else ""
    sentences = [several + comparison["sentence"] for comparison in comparisons]
    settings = study.each_input().get(name)
    return {
        "settings": settings and settings.model_dump(mode="json", include={"input", *InputSettings.model_fields}),
        "meaning": INPUTS[settings.input].meaning if settings else "the mean of the other inputs' probabilities",
        "arms": {arm: _over_seeds(arm_runs, list(study.classes)) for arm, arm_runs in by_arm.items()},
        "comparisons": comparisons,
        "verdicts": sentences or [several + "nothing to compare: the study has one arm."],
        "run_seconds": round(float(np.mean([run["train_seconds"] + run["test_seconds"] for run in runs])), 1),
    }


def _over_seeds(runs: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """One arm: intervals over its seeds, summed confusion matrix, mean loss curve."""
    return {
        **{metric: _interval([run[metric] for run in runs]) for metric in METRICS},
        "recall": {name: _interval([run["recall"][name] for run in runs]) for name in classes},
        "confusion": np.sum([run["confusion"] for run in runs], axis=0).tolist(),
        "losses": np.round(np.mean([run["losses"] for run in runs], axis=0), 5).tolist(),
    }


def _interval(values: Sequence[float | None]) -> dict[str, Any] | None:
    if any(value is None for value in values):
        return None
    return _json(statistics.t_interval([float(value) for value in values if value is not None]))


def _json(interval: Interval) -> dict[str, Any]:
    """An interval as JSON values: None for an infinite end."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in asdict(interval).items()
    }


def _compare(runs: Sequence[dict[str, Any]], base: Sequence[dict[str, Any]], name: str, baseline: str) -> dict[str, Any]:
    """An arm against the baseline: paired over seeds, and redrawing the test recordings."""
    seeds = statistics.paired_interval([run["macro_accuracy"] for run in runs], [run["macro_accuracy"] for run in base])
    truth = np.asarray(runs[0]["truth"])
    classes = len(runs[0]["confusion"])
    pairs = [(np.asarray(run["predicted"]), np.asarray(other["predicted"])) for run, other in zip(runs, base, strict=True)]

    def difference(index: np.ndarray) -> float:
        def macro(predicted: np.ndarray) -> float:
            return statistics.macro_accuracy(statistics.confusion(truth[index], predicted[index], classes))

        return float(np.mean([macro(ours) - macro(theirs) for ours, theirs in pairs]))

    recordings = statistics.group_bootstrap(difference, runs[0]["groups"], rng=np.random.default_rng(0))
    verdict = statistics.verdict(seeds)
    rare = [run["rare_average_precision"] for run in [*runs, *base]]
    rare_seeds = None
    if None not in rare:
        rare_seeds = statistics.paired_interval(rare[: len(runs)], rare[len(runs) :])
    return {
        "arm": name,
        "baseline": baseline,
        "verdict": verdict,
        "macro_accuracy": _json(seeds),
        "macro_accuracy_over_recordings": _json(recordings),
        "rare_average_precision": _json(rare_seeds) if rare_seeds else None,
        "rare_verdict": statistics.verdict(rare_seeds) if rare_seeds else None,
        "sentence": sentence(name, baseline, seeds, recordings),
    }


def sentence(name: str, baseline: str, seeds: Interval, recordings: Interval) -> str:
    """The verdict on a comparison, in one line.

    The interval over seeds says whether training again would show the difference; the one over recordings, whether other clips
    would.
    """
    verdict = statistics.verdict(seeds)
    if verdict == "too few seeds":
        return f"{name} against {baseline}: {seeds.mean:+.3f} macro accuracy with one seed; no verdict, run more seeds"
    text = (
        f"{name} against {baseline}: {verdict}. Macro accuracy {seeds.mean:+.3f}, 95 % interval "
        f"{seeds.low:+.3f} to {seeds.high:+.3f} over {seeds.count} seeds"
    )
    if np.isfinite(recordings.low):
        text += f", {recordings.low:+.3f} to {recordings.high:+.3f} over {recordings.count} test events"
    if verdict in ("gain", "harm") and not (recordings.low > 0 or recordings.high < 0):
        text += "; it holds for these test clips, and may not for others"
    if verdict == "no measurable difference" and abs(seeds.mean) > 0.03:
        text += "; more seeds may tell"
    return text
