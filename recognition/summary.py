"""Turn finished runs into the comparison of arms: means, intervals and a verdict in words."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .clip_warnings import few_events
from .comparison import advise, compare, over_seeds
from .curves import few_curves
from .data import StudyData, held_out_from
from .input_settings import FUSED, InputSettings
from .inputs.kinds import INPUTS
from .recordings import describe
from .scoring import fuse_runs, with_figures
from .study import Study
from .subsets import rare_recordings

METRICS: dict[str, str] = {
    "macro_accuracy": "macro accuracy",
    "rare_average_precision": "average precision of the rare class",
    "calibration_error": "calibration error",
    "calibration_error_after": "after temperature",
    "brier_score": "Brier score",
    "brier_score_after": "after temperature",
}
"""Figures averaged over seeds, with their names in the report."""

DOUBTED_SHARE = 0.2
"""Real recordings with a larger share of windows left out are named in the report."""

ALARM_METRICS: dict[str, str] = {
    "events_found": "events found",
    "delay_sec": "delay, s",
    "false_alarms_an_hour": "false alarms an hour",
}
"""Figures of alarms on whole recordings, likewise."""


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
    names = list(study.each_input())
    outputs = list(runs)
    if len(names) > 1:
        found = {(run["input"], run["arm"], run["seed"]): run for run in runs}
        outputs += [
            fuse_runs([found[name, arm.name, seed] for name in names], name=FUSED) for arm in study.arms for seed in study.seeds
        ]
        names.append(FUSED)
    scored = [with_figures(run, study) for run in outputs]
    most = len(rare_recordings(study, data.training[study.baseline_arm].real))
    inputs = {name: _of_input(name, [run for run in scored if run["input"] == name], study, most=most) for name in names}
    warnings = [*data.warnings, *few_events(scored[0]["groups"])]
    if unreadable := runs[0]["unreadable"]:
        warnings.append(f"{len(unreadable)} video(s) could not be read and were left out: {'; '.join(unreadable[:5])}.")
    if doubted := doubted_recordings(runs):
        listed = ", ".join(f"{name} ({share:.0%})" for name, share in list(doubted.items())[:8])
        warnings.append(
            f"Look at the labels of these real recordings: {listed}. Arms that check labels left out so many of their windows, "
            "because to a network trained on synthetic clips their label is impossible."
        )
    by_name = {arm.name: arm for arm in study.arms}
    training = {
        name: {"real": describe(clips.real, study.classes), "synthetic": describe(clips.synthetic, study.classes)}
        for name, clips in data.training.items()
        if name in by_name and not by_name[name].smaller
    }
    train, test = (sum(run[key] for run in runs) for key in ("train_seconds", "test_seconds"))
    return {
        "study": study.model_dump(mode="json"),
        "baseline": study.baseline_arm,
        "chance": 1 / len(set(scored[0]["truth"])),
        "inputs": inputs,
        "verdicts": [line for one in inputs.values() for line in one["verdicts"]],
        "warnings": warnings,
        "data": {"training": training, "test": {**describe(data.test, study.classes), "groups": len(set(scored[0]["groups"]))}},
        "held_out": {"from": held_out_from(data), **describe(data.held_out, study.classes)},
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


def doubted_recordings(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Real recordings of which ``label_check`` left out ``DOUBTED_SHARE`` or more, mean over the runs; the worst first."""
    shares: dict[str, list[float]] = {}
    for run in runs:
        for name, share in run["doubted"].items():
            shares.setdefault(name, []).append(share)
    means = {name: float(np.mean(found)) for name, found in shares.items()}
    return dict(sorted(((name, mean) for name, mean in means.items() if mean >= DOUBTED_SHARE), key=lambda item: -item[1]))


def _of_input(name: str, runs: Sequence[dict[str, Any]], study: Study, *, most: int) -> dict[str, Any]:
    """One input: its settings, its arms over the seeds, their comparisons and the verdict."""
    by_arm = {arm.name: [run for run in runs if run["arm"] == arm.name] for arm in study.arms}
    for arm_runs in by_arm.values():
        arm_runs.sort(key=lambda run: study.seeds.index(run["seed"]))
    comparisons = compare(by_arm, study)
    advice = advise(comparisons, study)
    several = f"{name}: " if study.inputs else ""
    sentences = ([advice["sentence"]] if advice else []) + [comparison["sentence"] for comparison in comparisons]
    settings = study.each_input().get(name)
    return {
        "settings": settings and settings.model_dump(mode="json", include={"input", *InputSettings.model_fields}),
        "meaning": INPUTS[settings.input].meaning if settings else "the mean of the other inputs' probabilities",
        "arms": {arm.name: _over_seeds(by_arm[arm.name], list(study.classes)) for arm in study.arms if not arm.smaller},
        "comparisons": comparisons,
        "advice": advice,
        "few": few_curves(by_arm, study, most=most),
        "verdicts": [several + line for line in sentences or ["nothing to compare: the study has one arm."]],
        "run_seconds": round(float(np.mean([run["train_seconds"] + run["test_seconds"] for run in runs])), 1),
    }


def _over_seeds(runs: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """One arm: intervals over its seeds, summed confusion matrix, mean loss curve."""
    alarms = None
    if all(run["alarms"] for run in runs):
        alarms = {key: over_seeds([run["alarms"][key] for run in runs]) for key in ALARM_METRICS}
        alarms |= {key: runs[0]["alarms"][key] for key in ("events", "hours")}
    return {
        **{metric: over_seeds([run[metric] for run in runs]) for metric in METRICS},
        "recall": {name: over_seeds([run["recall"][name] for run in runs]) for name in classes},
        "alarms": alarms,
        "hard_negatives": {
            name: _hard_negative([run["hard_negatives"][name] for run in runs]) for name in runs[0]["hard_negatives"]
        },
        "confusion": np.sum([run["confusion"] for run in runs], axis=0).tolist(),
        "losses": np.round(np.mean([run["losses"] for run in runs], axis=0), 5).tolist(),
    }


def _hard_negative(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One activity's figures, each the mean over the seeds."""
    keys = ("seconds", "recall", "taken_for_event", "false_alarms")
    means = {key: over_seeds([one[key] for one in found]) for key in keys}
    return {key: interval and interval["mean"] for key, interval in means.items()}
