"""Run an ablation: every arm with every seed, the same number of updates, tested on the same windows; resumable."""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.files import write_atomic
from augment.workers import count_step, map_unordered

from .data import StudyData, drop_undecodable, open_input, read_data, run_digest
from .device import compute_device
from .evaluate import predict, score
from .study import Arm, Study
from .summary import summarize
from .train import train

RUNS = "runs"
"""Folder of finished runs: ``ARM-seedN-DIGEST.json``."""
FRAMES = ".frames"
"""Folder of decoded frames; removed after the last run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One arm with one seed, and where its result is stored."""

    arm: Arm
    seed: int
    digest: str
    """Result of ``run_digest``."""
    path: Path


def ablate(
    study: Study,
    out: Path,
    *,
    workers: int | None = None,
    threads: int | None = None,
    progress: Callable[[str, int, int], Any] = lambda what, done, total: None,
) -> dict[str, Any]:
    """Make the runs that are missing, then compare the arms.

    Args:
        study: What to compare.
        out: Folder for runs and report; finished runs found there are used if made from the same settings, clips and code.
        workers: Runs at a time; None: one for each core on a CPU, one on a GPU.
        threads: Threads of each run; None: the cores divided by the workers.
        progress: Called with what is being done, how much of it is done, and how much there is.
    Returns:
        The study, its data, all runs and their comparison, as JSON values: what ``report.write_report`` takes.
    Raises:
        ValueError: For clips that cannot be read or would leak.
        OSError: If something cannot be read or written, or a worker process dies; finished runs are kept.
    """
    data = read_data(study)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or (1 if compute_device().type == "cuda" else cores)
    workers = max(1, min(workers, len(study.arms) * len(study.seeds)))
    threads = threads or max(1, cores // workers)
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    planned = plan_runs(data, out / RUNS, threads=threads)
    results = {run.path: result for run in planned if (result := _finished(run)) is not None}
    reused = len(results)
    unreadable = sorted({problem for result in results.values() for problem in result["unreadable"]})
    if missing := [run for run in planned if run.path not in results]:
        store = open_input(study, out / FRAMES)
        readable, unreadable = drop_undecodable(data, store, progress=functools.partial(progress, "decoding videos"))
        updates = study.steps * len(missing)
        progress("training", 0, updates)
        made = map_unordered(
            _work, missing, workers=workers, threads=threads, initializer=_prepare, initargs=(readable, out / FRAMES),
            on_steps=lambda steps: progress("training", steps, updates),
        )  # fmt: skip
        with closing(made):
            for run, result in made:
                results[run.path] = {**result, "digest": run.digest, "unreadable": unreadable}
                write_atomic(run.path, json.dumps(results[run.path]).encode())
        shutil.rmtree(out / FRAMES, ignore_errors=True)
    runs = {(run.arm.name, run.seed): results[run.path] for run in planned}
    ordered = [runs[arm.name, seed] for arm in study.arms for seed in study.seeds]
    return summarize(data, ordered, unreadable=unreadable, reused=reused)


def plan_runs(data: StudyData, folder: Path, *, threads: int) -> list[PlannedRun]:
    """Every run of a study. Seeds outside, arms inside: an interrupted study has complete comparisons for its first seeds."""
    runs = []
    for seed in data.study.seeds:
        for arm in data.study.arms:
            digest = run_digest(data, arm, seed, threads=threads)
            path = folder / f"{arm.name}-seed{seed}-{digest[:12]}.json"
            runs.append(PlannedRun(arm=arm, seed=seed, digest=digest, path=path))
    return runs


def _finished(run: PlannedRun) -> dict[str, Any] | None:
    """The result of an earlier run made from exactly the same things, if its file is there and complete."""
    try:
        result = json.loads(run.path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("digest") == run.digest else None


# What a worker process needs for every run, set by its initializer: too large to send with each task.
_shared: dict[str, Any] = {}


def _prepare(data: StudyData, frames: Path) -> None:
    _shared.update(data=data, frames=frames)


def _work(run: PlannedRun) -> tuple[PlannedRun, dict[str, Any]]:
    # Separate processes with a thread each finish sooner than one process with all threads: the operations inside a step are
    # too small to divide. They also keep torch's number of threads, and so the results, independent of the calling process.
    return run, run_one(_shared["data"], run.arm, run.seed, _shared["frames"], progress=lambda done, total: count_step())


def run_one(
    data: StudyData, arm: Arm, seed: int, frames: Path, *, progress: Callable[[int, int], Any] = lambda done, total: None
) -> dict[str, Any]:
    """Train and test one arm with one seed.

    Args:
        data: The study and its clips.
        arm: One of its arms.
        seed: Decides weights, batches and dropout.
        frames: Folder of decoded frames.
        progress: Called after each update with their number, and how many there will be.
    Returns:
        Everything that the report needs of it, as JSON values.
    """
    study, started = data.study, time.perf_counter()
    store = open_input(study, frames)
    trained = train(study, arm, data.training[arm.name], store=store, seed=seed, progress=progress)
    between = time.perf_counter()
    predictions = predict(trained.network, data.test, study, store=store)
    return {
        "arm": arm.name,
        "seed": seed,
        **score(predictions, study),
        "losses": [round(loss, 5) for loss in trained.losses],
        "truth": predictions.truth.tolist(),
        "predicted": predictions.probabilities.argmax(axis=1).tolist(),
        "rare_scores": np.round(predictions.probabilities[:, list(study.classes).index(study.rare_class)], 6).tolist(),
        "groups": predictions.groups,
        "recordings": predictions.recordings,
        "train_seconds": round(between - started, 2),
        "test_seconds": round(time.perf_counter() - between, 2),
    }
