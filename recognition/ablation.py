"""The experiment: every arm with every seed, the same number of updates, tested on the same windows; resumable."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .clips import VIDEO_ENDINGS, Recording, describe, digest_of, evaluation_windows, read_source, refuse_leaks
from .study import Arm, Study

RUNS = "runs"
"""Folder of finished runs: ``ARM-seedN-DIGEST.json``."""
FRAMES = ".frames"
"""Folder of small frames; removed when everything is done."""
_CODE = ("clips.py", "frames.py", "classifiers.py", "depthwise.py", "train.py", "evaluate.py", "statistics.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A study with its clips read and checked for leaks; nothing decoded yet."""

    study: Study
    real: dict[str, list[Recording]]
    """Real training recordings of each arm."""
    synthetic: dict[str, list[Recording]]
    """Synthetic training recordings of each arm."""
    test: list[Recording]
    warnings: list[str]
    """What a reader must know before believing a figure."""

    def recordings(self) -> list[Recording]:
        """All of them, each once."""
        lists = [*self.real.values(), *self.synthetic.values(), self.test]
        return list({(str(r.path), r.member): r for recordings in lists for r in recordings}.values())


class Interrupted(Exception):
    """A worker was told to stop."""


def plan_study(study: Study) -> Plan:
    """Read all clips of a study and refuse it if any arm would see what it is tested on.

    Raises:
        ValueError: For clips that cannot be read or would leak, or a class without test windows.
        OSError: If a file cannot be read.
    """
    read: dict[str, list[Recording]] = {}

    def clips(source: Any) -> list[Recording]:
        if source is None:
            return []
        key = source.model_dump_json()
        if key not in read:
            read[key] = read_source(source, group_by=study.group_by)
        return read[key]

    test = clips(study.test)
    real = {arm.name: clips(study.source(arm, "real")) for arm in study.arms}
    synthetic = {arm.name: clips(study.source(arm, "synthetic")) for arm in study.arms}
    for arm in study.arms:
        refuse_leaks([*real[arm.name], *synthetic[arm.name]], test, arm=arm.name)
    return Plan(study=study, real=real, synthetic=synthetic, test=test, warnings=_warnings(study, real, synthetic, test))


def _warnings(
    study: Study, real: dict[str, list[Recording]], synthetic: dict[str, list[Recording]], test: list[Recording]
) -> list[str]:
    counts = describe(test, study.classes)
    empty = [name for name, seconds in counts["seconds_per_class"].items() if seconds == 0]
    if len(empty) == len(study.classes):
        raise ValueError("no test clip has a segment of any class; compare `classes` with the segments' labels")
    found = []
    if empty:
        found.append(f"No test window of: {', '.join(empty)}; macro accuracy is over the other classes.")
    if counts["synthetic"]:
        found.append(
            f"{counts['synthetic']} of {counts['recordings']} test clips are synthetic: this says nothing of real ones."
        )
    if counts["groups"] < 20:
        found.append(f"The test clips show {counts['groups']} separate events: small differences may not carry over to others.")
    for arm in study.arms:
        seconds = describe([*real[arm.name], *synthetic[arm.name]], study.classes)["seconds_per_class"]
        if missing := [name for name, value in seconds.items() if value == 0]:
            found.append(f"Arm {arm.name} has no training clip of: {', '.join(missing)}.")
    made = {(r.path, r.member): r for clips in synthetic.values() for r in clips if r.is_synthetic}.values()
    silent = sum(not r.declares_sources and not any(s.lower().endswith(VIDEO_ENDINGS) for s in r.sources) for r in made)
    if silent and any(not r.is_synthetic for r in test):
        found.append(
            f"{silent} of {len(made)} synthetic clips do not say which recordings they were made from (`recordings` in their "
            "provenance): whether their rooms or motions come from test recordings could not be checked."
        )
    people = {r.row["subject"] for r in test if r.row.get("subject")}
    trained = {r.row["subject"] for clips in real.values() for r in clips if r.row.get("subject")}
    if shared := sorted(people & trained):
        found.append(f"Training and test show the same person(s): {', '.join(shared)}; a stranger may be harder to recognize.")
    if len(study.seeds) < 3:
        found.append(f"{len(study.seeds)} seed(s): intervals over seeds need three at least to mean anything.")
    return found


def run_digest(plan: Plan, arm: Arm, seed: int, data: dict[str, str], *, threads: int) -> str:
    """SHA-256 over everything that decides a run's result: settings, clips, code, torch's version, threads."""
    import torch

    from .train import compute_device, compute_dtype

    decisive = plan.study.model_dump(
        mode="json",
        include={"classes", "rare_class", "window_sec", "frames", "size", "model", "steps", "batch", "lr", "weight_decay",
                 "eval_stride_sec", "alarm_recall"},
    )  # fmt: skip
    code = {name: hashlib.sha256((Path(__file__).parent / name).read_bytes()).hexdigest() for name in _CODE}
    about = arm.model_dump(mode="json", include={"augment", "synthetic_share", "pretrain"})
    device = compute_device()
    computed = [str(compute_dtype(plan.study.precision, device)), device.type, threads, torch.__version__]
    facts = [list(plan.study.classes), decisive, about, seed, data, code, computed]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def data_digests(plan: Plan) -> dict[str, dict[str, str]]:
    """For each arm, digests of its real, synthetic and test clips."""
    known: dict[int, str] = {}

    def digest(recordings: list[Recording]) -> str:
        if id(recordings) not in known:
            known[id(recordings)] = digest_of(recordings)
        return known[id(recordings)]

    return {
        arm.name: {
            "real": digest(plan.real[arm.name]) if plan.real[arm.name] else "",
            "synthetic": digest(plan.synthetic[arm.name]) if plan.synthetic[arm.name] else "",
            "test": digest(plan.test),
        }
        for arm in plan.study.arms
    }


def make_store(study: Study, folder: Path) -> Any:
    """The study's ``FrameStore`` in a folder."""
    from .frames import FrameStore

    return FrameStore(folder=folder, size=study.size, frames=study.frames, window_sec=study.window_sec)


def run_one(plan: Plan, arm: Arm, seed: int, frames: Path, tick: Callable[[], Any]) -> dict[str, Any]:
    """Train and test one arm with one seed; everything the report needs, as JSON values."""
    from .evaluate import predict, score
    from .train import train

    study, started = plan.study, time.perf_counter()
    store = make_store(study, frames)
    trained = train(study, arm, plan.real[arm.name], plan.synthetic[arm.name], store=store, seed=seed, tick=tick)
    between = time.perf_counter()
    windows = evaluation_windows(plan.test, study.classes, window_sec=study.window_sec, stride_sec=study.eval_stride_sec)
    predictions = predict(trained.network, plan.test, windows, store=store, precision=study.precision)
    figures = score(predictions, list(study.classes), rare_class=study.rare_class, alarm_recall=study.alarm_recall)
    return {
        "arm": arm.name,
        "seed": seed,
        **figures,
        "losses": [round(loss, 5) for loss in trained.losses],
        "truth": predictions.truth.tolist(),
        "predicted": predictions.probabilities.argmax(axis=1).tolist(),
        "rare_scores": np.round(predictions.probabilities[:, list(study.classes).index(study.rare_class)], 6).tolist(),
        "groups": predictions.groups,
        "recordings": predictions.recordings,
        "train_seconds": round(between - started, 2),
        "test_seconds": round(time.perf_counter() - between, 2),
    }


# What a worker process needs for every run, set once by its initializer: a Plan is large and counters cannot be pickled.
_worker: dict[str, Any] = {}


def _start_worker(plan: Plan, frames: Path, threads: int, counter: Any, stop: Any) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides: Ctrl-C reaches the whole process group
    torch.set_num_threads(threads)
    _worker.update(plan=plan, frames=frames, counter=counter, stop=stop)


def _work(arm: Arm, seed: int) -> dict[str, Any]:
    def tick() -> None:
        with _worker["counter"].get_lock():
            _worker["counter"].value += 1
        if _worker["stop"].value:
            raise Interrupted

    return run_one(_worker["plan"], arm, seed, _worker["frames"], tick)


def ablate(
    study: Study,
    out: Path,
    *,
    workers: int | None = None,
    threads: int | None = None,
    progress: Callable[[str, int, int], Any] = lambda what, done, total: None,
) -> dict[str, Any]:
    """Run what is not yet there, then sum up.

    Args:
        study: What to compare.
        out: Folder for runs and report; finished runs found there are used if made from the same settings, clips and code.
        workers: Runs at a time; None: one for each core on a CPU, one on a GPU.
        threads: Threads of each run; None: the cores shared out.
        progress: Called with what is being done, how much of it is, and how much there is.
    Returns:
        The study, its data, all runs and their comparison, as JSON values: what ``report.write_report`` wants.
    Raises:
        ValueError: For clips that cannot be read or would leak.
        OSError: If something cannot be read or written.
    """
    from .frames import decodable
    from .report import summarize
    from .train import compute_device

    plan = plan_study(study)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or (1 if compute_device().type == "cuda" else cores)
    workers = max(1, min(workers, len(study.arms) * len(study.seeds)))
    threads = threads or max(1, cores // workers)
    data = data_digests(plan)
    (out / RUNS).mkdir(parents=True, exist_ok=True)
    done: dict[tuple[str, int], dict[str, Any]] = {}
    missing: list[Task] = []
    # Seeds outside, arms inside: an interrupted study has complete comparisons for its first seeds.
    for seed in study.seeds:
        for arm in study.arms:
            digest = run_digest(plan, arm, seed, data[arm.name], threads=threads)
            path = out / RUNS / f"{arm.name}-seed{seed}-{digest[:12]}.json"
            if (run := _finished(path, digest)) is not None:
                done[arm.name, seed] = run
            else:
                missing.append(Task(arm=arm, seed=seed, digest=digest, path=path))
    reused = len(done)
    unreadable = sorted({problem for run in done.values() for problem in run["unreadable"]})
    if missing:
        store, everything, decoded = make_store(study, out / FRAMES), plan.recordings(), 0

        def tick() -> None:
            nonlocal decoded
            decoded += 1
            progress("decoding videos", decoded, len(everything))

        good, unreadable = decodable(everything, store, max_bad_share=study.max_bad_share, tick=tick)
        run_tasks(
            _only(plan, good), missing, out / FRAMES, done,
            unreadable=unreadable, workers=workers, threads=threads, progress=progress,
        )  # fmt: skip
        shutil.rmtree(out / FRAMES)
    runs = [done[arm.name, seed] for arm in study.arms for seed in study.seeds]
    return summarize(plan, runs, unreadable=unreadable, reused=reused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run still to be made, and where its result goes."""

    arm: Arm
    seed: int
    digest: str
    path: Path


def run_tasks(
    plan: Plan,
    tasks: list[Task],
    frames: Path,
    done: dict[tuple[str, int], dict[str, Any]],
    *,
    unreadable: list[str],
    workers: int,
    threads: int,
    progress: Callable[[str, int, int], Any],
) -> None:
    """Make runs in worker processes, writing each as soon as it is there; ``done`` is filled.

    Separate processes with a thread each finish sooner than one process with all threads: the pieces of work inside a step are
    too small to share out. They also keep torch's thread count, and so the results, out of the calling process.
    """
    context = multiprocessing.get_context("spawn")
    counter, stop = context.Value("q", 0), context.Value("b", 0)
    total = plan.study.steps * len(tasks)
    progress("training", 0, total)
    executor = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(plan, frames, threads, counter, stop)
    )
    try:
        pending = {executor.submit(_work, task.arm, task.seed): task for task in tasks}
        while pending:
            finished, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in finished:
                task = pending.pop(future)
                run = {**future.result(), "digest": task.digest, "unreadable": unreadable}
                write_atomic(task.path, json.dumps(run).encode())
                done[task.arm.name, task.seed] = run
            progress("training", counter.value, total)
    finally:
        stop.value = 1
        executor.shutdown(wait=True, cancel_futures=True)


def _only(plan: Plan, good: list[Recording]) -> Plan:
    """The plan without recordings that cannot be decoded."""
    places = {(r.path, r.member) for r in good}

    def keep(recordings: list[Recording]) -> list[Recording]:
        return [r for r in recordings if (r.path, r.member) in places]

    real = {name: keep(recordings) for name, recordings in plan.real.items()}
    synthetic = {name: keep(recordings) for name, recordings in plan.synthetic.items()}
    return replace(plan, real=real, synthetic=synthetic, test=keep(plan.test))


def _finished(path: Path, digest: str) -> dict[str, Any] | None:
    """A run made earlier from exactly the same things, if it is there and whole."""
    try:
        run = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return run if isinstance(run, dict) and run.get("digest") == digest else None


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file: temporary name, fsync, rename."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
