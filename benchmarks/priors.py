"""Each prior of pose and motion on mocap of unseen styles and people, with the tasks of the literature.

    python -m benchmarks.priors --work DIR --bandai STORE --library STORE --cmu STORE [--clips 4] [--iterations 250]

The stores are made by ``augment motions library --per-action 20`` and ``augment motions import ARCHIVE --fps 30``. Priors are
trained where DIR lacks them, on the Bandai-Namco motions of other styles and on the library. Then, with one fit for all
(``augment.priors.evaluate``): joints with 4 cm of noise along each axis, and joints of a limb unseen with 1 cm of noise on the
others. Smoothness is chosen without a prior, then each prior's weight with that smoothness, both once, by the mean error on
60-frame clips of the validation styles over noise, leg and upper arm. Rows are kept in DIR/results.jsonl; an
interrupted run continues.

The Bandai-Namco data may not be used commercially: do not ship these priors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
import torch
from torch import Tensor

from augment.body.model import load_body
from augment.priors.joint_fit import (
    OCCLUSIONS,
    JointFitConfig,
    concatenated,
    fit_sequence,
    joint_errors,
    observe,
    vertex_errors,
)
from augment.priors.poses import dataset_of, sequence_at
from augment.priors.prior import PoseSequence, Prior
from augment.types import JOINT, Motion
from benchmarks.priors_data import TEST_STYLES, VALIDATION_STYLES, motions_of, trained_priors, training_set
from benchmarks.priors_poses import generation_table, spoil_table

KINDS = ("gmm", "vposer", "posendf", "humor")
NAMES = {"none": "no prior", "gmm": "GMM", "vposer": "VPoser", "posendf": "Pose-NDF", "humor": "HuMoR"}
TASKS: dict[str, tuple[float, tuple[str, ...]]] = {"noise": (0.04, ())} | {
    name: (0.01, joints) for name, joints in OCCLUSIONS.items()
}
"""Noise along each axis, metres, and the unseen joints."""
ACCELERATIONS = (5.0, 10.0, 20.0, 40.0)
WEIGHTS = (3.0, 30.0)
"""Tried first; then the better of them times 0.3 and times 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """Clips of one length."""

    truth: PoseSequence
    rest_joints: Tensor
    names: tuple[str, ...]


def clips_of(motions: Sequence[Motion], length: int, count: int) -> Clips | None:
    """The middle of as many motions as there are, up to ``count``: of different recordings as far as possible."""
    fitting = [each for each in motions if len(each) >= length]
    order = sorted(fitting, key=lambda each: hashlib.sha256(each.name.encode()).hexdigest())
    taken: dict[str, int] = {}
    ranks = []
    for each in order:
        recording = each.name.rsplit("_", 2)[0] if each.name.count("_") > 1 else each.name
        ranks.append(taken.setdefault(recording, 0))
        taken[recording] += 1
    chosen = [order[i] for i in sorted(range(len(order)), key=lambda i: ranks[i])[:count]]
    if not chosen:
        return None
    data = dataset_of(chosen, held_out=0.0)
    first = torch.tensor([int(start) + (len(each) - length) // 2 for start, each in zip(data.starts, chosen, strict=False)])
    return Clips(truth=sequence_at(data, first, length), rest_joints=data.rest_joints, names=data.names)


def fitted(
    clips: Clips, tasks: Sequence[str], prior: Prior | None, config: JointFitConfig
) -> dict[str, tuple[PoseSequence, Tensor]]:
    """For each task the fit's result and its input joints, all tasks in one batch; the task seeds the noise."""
    seen = []
    for task in tasks:
        std, missing = TASKS[task]
        seed = torch.Generator().manual_seed(list(TASKS).index(task))
        seen.append(observe(clips.truth, clips.rest_joints, std=std, missing=missing, generator=seed))
    found = fit_sequence(concatenated(seen), prior, config)
    count = len(clips.names)
    result = {}
    for index, task in enumerate(tasks):
        part = slice(index * count, (index + 1) * count)
        sequence = PoseSequence(rotations=found.rotations[part], joints=found.joints[part], fps=found.fps)
        result[task] = sequence, seen[index].joints
    return result


def choose(clips: Clips, priors: dict[str, Prior], base: JointFitConfig, path: Path) -> dict[str, JointFitConfig]:
    """The fit of each method: smoothness without a prior, then each prior's weight."""
    known: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    judged = hashlib.sha256(" ".join(clips.names).encode()).hexdigest()[:8]
    tasks = ["noise", "leg", "shoulder and upper arm"]

    def error(key: str, prior: Prior | None, config: JointFitConfig) -> float:
        key = f"{judged} {key}"
        if key not in known:
            results = fitted(clips, tasks, prior, config)
            known[key] = float(torch.stack([joint_errors(each, clips.truth).mean() for each, _ in results.values()]).mean())
            path.write_text(json.dumps(known, indent=1))
            print(f"validation {key}: {100 * known[key]:.2f} cm", flush=True)
        return known[key]

    smooth = min(ACCELERATIONS, key=lambda a: error(f"none {a:g} {base.iterations}", None, replace(base, acceleration=a)))
    chosen = {"none": replace(base, acceleration=smooth)}
    for kind, prior in priors.items():
        key = f"{kind} {_mark(path.parent, kind)} {smooth} {base.iterations}"

        def tried(weight: float, key: str = key, prior: Prior = prior) -> float:
            return error(f"{key} {weight:g}", prior, replace(chosen["none"], weight=weight))

        best = min(WEIGHTS, key=tried)
        best = min((0.3 * best, best, 3 * best), key=tried)
        chosen[kind] = replace(chosen["none"], weight=best)
    return chosen


def run_cell(
    clips: Clips, task: str, prior: Prior | None, config: JointFitConfig, skin: Callable[..., Tensor]
) -> dict[str, Any]:
    """Errors of each clip, cm."""
    found, seen = fitted(clips, [task], prior, config)[task]
    errors = joint_errors(found, clips.truth)
    hidden = [JOINT[name] for name in TASKS[task][1]]
    given = (seen - clips.truth.joints).norm(dim=-1).mean(dim=(1, 2))
    return {
        "joints": (100 * errors.mean(-1)).tolist(),
        "hidden": (100 * errors[:, hidden].mean(-1)).tolist() if hidden else [],
        "skin": (100 * skin(found, clips.truth)).tolist(),
        "input": (100 * given).tolist(),
    }


def main() -> None:
    """Train, choose, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("work", "bandai", "library", "cmu"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--lengths", type=int, nargs="+", default=[60, 120, 240])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    dataset = training_set(options.bandai, options.library)
    priors = trained_priors(KINDS, dataset, options.work)
    del dataset
    held = list(motions_of(options.bandai, styles=VALIDATION_STYLES))
    validation = clips_of(held, 60, options.clips)
    assert validation is not None, "no motion of the validation styles has 60 frames"
    configs = choose(validation, priors, JointFitConfig(iterations=options.iterations), options.work / "validation.json")
    test = list(motions_of(options.bandai, styles=TEST_STYLES))
    sources = {"Bandai-Namco": test, "CMU": list(motions_of(options.cmu))}
    rows = measure(sources, priors, configs, options)
    print(restoration_table(rows, configs, options.lengths))
    print(generation_table(priors, test, held, NAMES), spoil_table(priors, test, NAMES), sep="\n\n")


def measure(
    sources: dict[str, list[Motion]], priors: dict[str, Prior], configs: dict[str, JointFitConfig], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row a source, length, task and method, from ``results.jsonl`` where it is known."""
    path = options.work / "results.jsonl"
    known = {row["key"]: row for row in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    body = load_body()
    shape = np.zeros(10)
    few = slice(None, None, 20)  # 680 vertices all over the body
    rest_joints = torch.tensor(np.array(body.rest_joints(shape)), dtype=torch.float32)
    rest_vertices = torch.tensor(np.array(body.rest_vertices(shape)[few]), dtype=torch.float32)
    weights = torch.tensor(body.weights[few], dtype=torch.float32)

    def skin(found: PoseSequence, truth: PoseSequence) -> Tensor:
        return vertex_errors(found, truth, rest_joints, rest_vertices, weights)

    rows = []
    for length in options.lengths:
        for source, motions in sources.items():
            clips = clips_of(motions, length, options.clips)
            if clips is None:
                continue
            for task in TASKS:
                for method, config in configs.items():
                    mark = _mark(options.work, method) if method in priors else ""
                    key = f"{source} {length} {task} {method} {mark} {config} {' '.join(clips.names)}"
                    if key not in known:
                        cell = run_cell(clips, task, priors.get(method), config, skin)
                        known[key] = {"key": key, "source": source, "length": length, "task": task, "method": method} | cell
                        with path.open("a") as stream:
                            stream.write(json.dumps(known[key]) + "\n")
                        print(f"{source} {length} {task} {method}: {_interval(cell['joints'])} cm", flush=True)
                    rows.append(known[key])
    return rows


def restoration_table(rows: list[dict[str, Any]], configs: dict[str, JointFitConfig], lengths: Sequence[int]) -> str:
    """Markdown: mean error over clips, cm: without a prior with its 95 % t-interval; with one, with the paired difference."""
    lines = [
        f"smoothness {configs['none'].acceleration:g} m/s^2; weights "
        + ", ".join(f"{NAMES[kind]} {config.weight:g}" for kind, config in configs.items() if kind != "none"),
        "",
    ]
    cells = {(row["source"], row["length"], row["task"], row["method"]): row for row in rows}
    measures = (("joints", "all joints"), ("hidden", "unseen joints"), ("skin", "skin"))
    for source in dict.fromkeys(row["source"] for row in rows):
        found = [n for n in lengths if any(key[:2] == (source, n) for key in cells)]
        counts = [len(cells[source, n, "noise", "none"]["joints"]) for n in found]
        heads = [f"{n} frames ({count} clips)" for n, count in zip(found, counts, strict=True)]
        lines += [
            f"**{source}**",
            "",
            "| task | error of | method | " + " | ".join(heads) + " |",
            "|---" * (3 + len(found)) + "|",
        ]
        for task in TASKS:
            for measure_name, title in measures:
                if measure_name == "hidden" and task == "noise":
                    continue
                if measure_name == "joints":
                    given = [_interval(cells[source, n, task, "none"]["input"]) for n in found]
                    lines.append(f"| {task} | all joints | input, if all were seen | " + " | ".join(given) + " |")
                for method in configs:
                    values = [
                        _compared(cells[source, n, task, method][measure_name], cells[source, n, task, "none"][measure_name])
                        for n in found
                    ]
                    lines.append(f"| {task} | {title} | {NAMES[method]} | " + " | ".join(values) + " |")
        lines.append("")
    return "\n".join(lines)


def _interval(values: Sequence[float]) -> str:
    """Mean and 95 % t-interval."""
    if len(values) < 2:
        return " ".join(f"{value:.2f}" for value in values)
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} ± {half:.2f}"


def _compared(values: Sequence[float], plain: Sequence[float]) -> str:
    """Mean, and the paired difference from no prior; for no prior itself its interval."""
    if values == plain:
        return _interval(values)
    return f"{np.mean(values):.2f} ({_interval(np.subtract(values, plain).tolist())})"


def _mark(work: Path, kind: str) -> str:
    """Tells one trained prior's file from another."""
    return hashlib.sha256((work / f"{kind}.safetensors").read_bytes()).hexdigest()[:12]


if __name__ == "__main__":
    main()
