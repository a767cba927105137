"""Run an ablation: every arm with every seed, the same number of updates, tested on the same windows; resumable."""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augment.files import write_atomic
from augment.workers import count_step, map_unordered

from .data import StudyData, all_recordings, drop_undecodable, open_input, read_data, run_digest
from .device import compute_device
from .evaluate import predict, watch_whole
from .inputs.kinds import ClipInput
from .shown_clips import shown_clips
from .study import Arm, Study
from .subsets import clips_of
from .summary import summarize
from .train import train

RUNS = "runs"
"""Folder of finished runs: ``INPUT-ARM-seedN-DIGEST.json``."""
FRAMES = ".frames"
"""Folder of decoded frames; removed after the last run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One arm with one seed and one input, and where its result is stored."""

    input: str
    """Name of the input."""
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
    """Make the runs that are missing, then compare the arms, for each input and for all inputs together.

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
    study = data.study
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or (1 if compute_device().type == "cuda" else cores)
    workers = max(1, min(workers, len(study.each_input()) * len(study.arms) * len(study.seeds)))
    threads = threads or max(1, cores // workers)
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    planned = plan_runs(data, out / RUNS, threads=threads)
    results = {run.path: result for run in planned if (result := _finished(run)) is not None}
    reused = len(results)
    # Runs are compared only if they were tested on the same windows: with the same recordings left out.
    left_out = [result["unreadable"] for result in results.values()]
    if len(results) < len(planned) or any(problems != left_out[0] for problems in left_out):
        readable, unreadable = _readable(data, out / FRAMES, progress=functools.partial(progress, "decoding videos"))
        results = {path: result for path, result in results.items() if result["unreadable"] == unreadable}
        reused = len(results)
        missing = [run for run in planned if run.path not in results]
        updates = sum(study.each_input()[run.input].steps for run in missing)
        progress("training", 0, updates)
        made = map_unordered(
            _work, missing, workers=workers, threads=threads, initializer=_prepare, initargs=(readable, out / FRAMES),
            on_steps=lambda steps: progress("training", steps, updates),
        )  # fmt: skip
        with closing(made):
            for run, result in made:
                results[run.path] = {**result, "input": run.input, "digest": run.digest, "unreadable": unreadable}
                write_atomic(run.path, json.dumps(results[run.path]).encode())
        shutil.rmtree(out / FRAMES, ignore_errors=True)
    result = summarize(data, [results[run.path] for run in planned], workers=workers, threads=threads, reused=reused)
    return {**result, "clips": shown_clips(data, result)}


def plan_runs(data: StudyData, folder: Path, *, threads: int) -> list[PlannedRun]:
    """Every run of a study. Seeds outside: an interrupted study has complete comparisons for its first seeds."""
    runs = []
    inputs = {name: replace(data, study=study) for name, study in data.study.each_input().items()}
    for seed in data.study.seeds:
        for name, alone in inputs.items():
            for arm in data.study.arms:
                digest = run_digest(alone, arm, seed, threads=threads)
                path = folder / f"{name}-{arm.name}-seed{seed}-{digest[:12]}.json"
                runs.append(PlannedRun(input=name, arm=arm, seed=seed, digest=digest, path=path))
    return runs


def _readable(data: StudyData, frames: Path, *, progress: Callable[[int, int], Any]) -> tuple[StudyData, list[str]]:
    """The study without the recordings that one of its inputs cannot read, and the reasons."""
    studies = list(data.study.each_input().values())
    count, problems = len(all_recordings(data)), []
    for number, study in enumerate(studies):
        data, found = drop_undecodable(
            data, open_input(study, frames),
            progress=lambda done, total, before=number * count: progress(before + done, len(studies) * count),
        )  # fmt: skip
        problems += found
    return data, sorted(problems)


def _finished(run: PlannedRun) -> dict[str, Any] | None:
    """The result of an earlier run made from exactly the same things, if its file is there and complete."""
    try:
        result = json.loads(run.path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("digest") == run.digest else None


# What a worker process needs for every run, set by its initializer: too large to send with each task. What an input has read
# stays there for the worker's next run.
_shared: dict[str, Any] = {}


def _prepare(data: StudyData, frames: Path) -> None:
    _shared.update(data=data, frames=frames, stores={})


def _work(run: PlannedRun) -> tuple[PlannedRun, dict[str, Any]]:
    # Separate processes with a thread each finish sooner than one process with all threads: the operations inside a step are
    # too small to divide. They also keep torch's number of threads, and so the results, independent of the calling process.
    study = _shared["data"].study.each_input()[run.input]
    stores: dict[str, ClipInput] = _shared["stores"]
    if run.input not in stores:
        stores[run.input] = open_input(study, _shared["frames"])
    data = replace(_shared["data"], study=study)
    return run, run_one(data, run.arm, run.seed, store=stores[run.input], progress=lambda done, total: count_step())


def run_one(
    data: StudyData, arm: Arm, seed: int, *, store: ClipInput, progress: Callable[[int, int], Any] = lambda done, total: None
) -> dict[str, Any]:
    """Train and test one arm with one seed.

    Args:
        data: The study, with one input, and its clips.
        arm: One of its arms.
        seed: Decides weights, batches and dropout.
        store: What the classifier looks at.
        progress: Called after each update with their number, and how many there will be.
    Returns:
        Everything that the report needs of it, as JSON values.
    """
    study, started = data.study, time.perf_counter()
    trained = train(
        study, arm, clips_of(study, arm, data.training[arm.name], seed=seed), store=store, seed=seed, progress=progress
    )  # fmt: skip
    between = time.perf_counter()
    network = trained.network
    watching = {"window_sec": study.window_sec, "precision": study.precision, "store": store}
    return {
        "arm": arm.name,
        "seed": seed,
        "losses": [round(loss, 5) for loss in trained.losses],
        "doubted": trained.doubted,
        "test": predict(network, data.test, study, store=store).to_json(),
        "watched": [watched.to_json() for watched in watch_whole(network, data.test, **watching)],
        "held_out": predict(network, data.held_out, study, store=store).to_json() if data.held_out else None,
        "held_out_watched": [watched.to_json() for watched in watch_whole(network, data.held_out, **watching)],
        "train_seconds": round(between - started, 2),
        "test_seconds": round(time.perf_counter() - between, 2),
    }
