"""Sum runs up and show them: report.html (self-contained), report.png and report.json, with a verdict in words."""

from __future__ import annotations

import base64
import datetime
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import statistics
from .clips import describe
from .statistics import Interval

if TYPE_CHECKING:
    from .ablation import Plan

METRICS: dict[str, str] = {
    "macro_accuracy": "macro accuracy",
    "rare_average_precision": "average precision of the rare class",
    "false_alarms_per_hour": "false alarms an hour",
    "calibration_error": "calibration error",
}
"""Figures averaged over seeds, with their names for people."""
COLORS = ("#3d6fb4", "#7fa7d9", "#d1762b", "#e3b23c", "#5a9367", "#8a6bb1", "#b04a5a", "#6b6b6b")


def summarize(plan: Plan, runs: Sequence[dict[str, Any]], *, unreadable: Sequence[str], reused: int = 0) -> dict[str, Any]:
    """Everything the report says, as JSON values.

    Args:
        plan: The study with its clips.
        runs: What ``ablation.run_one`` gave, every arm with every seed.
        unreadable: Videos left out, with their reasons.
        reused: How many runs were there already.
    """
    study = plan.study
    by_arm = {arm.name: [run for run in runs if run["arm"] == arm.name] for arm in study.arms}
    for arm_runs in by_arm.values():
        arm_runs.sort(key=lambda run: study.seeds.index(run["seed"]))
    comparisons = [
        _compare(by_arm[arm.name], by_arm[study.baseline_arm], arm.name, study.baseline_arm)
        for arm in study.arms
        if arm.name != study.baseline_arm and not arm.reference
    ]
    warnings = list(plan.warnings)
    if unreadable:
        warnings.append(f"{len(unreadable)} video(s) could not be read and were left out: {'; '.join(unreadable[:5])}.")
    data = {
        arm.name: {
            "real": describe(plan.real[arm.name], study.classes),
            "synthetic": describe(plan.synthetic[arm.name], study.classes),
        }
        for arm in study.arms
    }
    chance = 1 / sum(any(t == i for t in runs[0]["truth"]) for i in range(len(study.classes)))
    return {
        "study": study.model_dump(mode="json"),
        "baseline": study.baseline_arm,
        "chance": chance,
        "arms": {name: _sum_up(arm_runs, list(study.classes)) for name, arm_runs in by_arm.items()},
        "comparisons": comparisons,
        "verdicts": [comparison["sentence"] for comparison in comparisons] or ["Nothing to compare: the study has one arm."],
        "warnings": warnings,
        "data": {"training": data, "test": describe(plan.test, study.classes)},
        "runs": list(runs),
        "reused_runs": reused,
        "made": {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {_version('torch')}",
            "train_seconds": round(sum(run["train_seconds"] for run in runs), 1),
        },
    }


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _sum_up(runs: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """One arm over its seeds."""
    return {
        **{metric: _interval([run[metric] for run in runs]) for metric in METRICS},
        "recall": {name: _interval([run["recall"][name] for run in runs]) for name in classes},
        "confusion": np.sum([run["confusion"] for run in runs], axis=0).tolist(),
        "losses": np.mean([run["losses"] for run in runs], axis=0).round(5).tolist(),
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
    """What a comparison means, in one honest line.

    The interval over seeds says whether training again would show it; the one over recordings whether other clips would.
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


def write_report(result: dict[str, Any], out: Path) -> None:
    """Write report.json, report.png and report.html.

    Raises:
        OSError: If the folder cannot be written.
    """
    import jinja2

    from .ablation import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    template = jinja2.Template((Path(__file__).parent / "report.html").read_text(), autoescape=True)
    pictures = {name: draw(result) for name, draw in PLOTS.items()}
    encoded = {name: base64.b64encode(data).decode() for name, data in pictures.items()}
    html = template.render(result=result, metrics=METRICS, pictures=encoded, show=show_interval)
    write_atomic(out / "report.json", json.dumps(result, indent=1).encode())
    write_atomic(out / "report.png", draw_all(result))
    write_atomic(out / "report.html", html.encode())


def show_interval(interval: dict[str, Any] | None, digits: int = 3, sign: bool = False) -> str:
    """``0.512 (0.480 to 0.544)`` for a reader."""
    if interval is None:
        return "–"
    form = f"{'+' if sign else ''}.{digits}f"
    mean = format(interval["mean"], form)
    if interval["low"] is None:
        return mean
    return f"{mean} ({format(interval['low'], form)} to {format(interval['high'], form)})"


def _bars(axes: Any, result: dict[str, Any], metric: str, title: str) -> None:
    """Mean and interval of each arm, a dot for each seed."""
    names = list(result["arms"])
    for row, name in enumerate(names):
        interval = result["arms"][name][metric]
        if interval is None:
            continue
        axes.barh(row, interval["mean"], color=COLORS[row % len(COLORS)], height=0.62)
        if interval["low"] is not None:
            axes.plot([interval["low"], interval["high"]], [row, row], color="black", lw=1.5, solid_capstyle="butt")
        values = [run[metric] for run in result["runs"] if run["arm"] == name]
        axes.plot(values, [row] * len(values), "o", color="white", mec="black", ms=4, lw=0)
        right = max(interval["mean"], interval["high"] or 0, *values)
        axes.text(min(right, 1) + 0.02, row, f"{interval['mean']:.2f}", va="center", ha="left", fontsize=9)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if metric == "macro_accuracy":
        axes.axvline(result["chance"], color="grey", ls=":", lw=1)
        axes.text(result["chance"], -0.42, " chance", fontsize=7, color="grey", ha="left", va="bottom")


def _confusion(axes: Any, result: dict[str, Any], name: str) -> None:
    """Shares of each true class, rows, over all seeds."""
    matrix = np.asarray(result["arms"][name]["confusion"], float)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    classes = list(result["study"]["classes"])
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for i, j in np.ndindex(*shares.shape):
        if shares[i, j] >= 0.005:
            axes.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if shares[i, j] > 0.55 else "black")  # fmt: skip
    axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set_title(name.replace("_", " "), fontsize=9, loc="left")


def _losses(axes: Any, result: dict[str, Any]) -> None:
    """Training loss, mean of the seeds, smoothed."""
    for row, (name, arm) in enumerate(result["arms"].items()):
        losses = np.asarray(arm["losses"])
        width = max(1, len(losses) // 20)
        smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
        axes.plot(np.arange(len(smooth)) + width, smooth, color=COLORS[row % len(COLORS)], label=name.replace("_", " "), lw=1.4)
    axes.set_title("training loss, mean of seeds", fontsize=10, loc="left")
    axes.set_xlabel("update", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _figure(width: float, height: float) -> Any:
    """A figure that touches no global state and needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any, *, dpi: int = 120) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def draw_scores(result: dict[str, Any]) -> bytes:
    """Macro accuracy and the rare class's average precision, as bars."""
    figure = _figure(10, 1.1 + 0.42 * len(result["arms"]))
    left, right = figure.subplots(1, 2, sharey=True)
    _bars(left, result, "macro_accuracy", "macro accuracy")
    _bars(right, result, "rare_average_precision", f"average precision of “{result['study']['rare_class']}”")
    return _png(figure)


def draw_confusions(result: dict[str, Any]) -> bytes:
    """A confusion matrix for each arm."""
    names = list(result["arms"])
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(10, 3.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        _confusion(axes, result, name)
    for axes in list(grid.flat)[len(names) :]:
        axes.axis("off")
    return _png(figure)


def draw_losses(result: dict[str, Any]) -> bytes:
    """Training curves."""
    figure = _figure(10, 3)
    _losses(figure.subplots(), result)
    return _png(figure)


PLOTS = {"scores": draw_scores, "confusions": draw_confusions, "losses": draw_losses}
"""Pictures of the HTML page."""


def draw_all(result: dict[str, Any]) -> bytes:
    """report.png: scores, training curves and confusion matrices on one sheet, with the verdicts in words."""
    import textwrap

    names = list(result["arms"])
    columns = max(3, len(names))
    words = [line for verdict in result["verdicts"] for line in textwrap.wrap(verdict, 42 * columns, subsequent_indent="    ")]
    notes = [
        line for text in [result["study"]["note"], *result["warnings"]] if text for line in textwrap.wrap(text, 42 * columns)
    ]
    text_height = 0.2 * (len(words) + len(notes)) + 0.3
    figure = _figure(3.3 * columns, 2.9 + 3.2 + text_height + 0.4)
    figure.suptitle(result["study"]["name"], fontsize=13, weight="bold", x=0.01, ha="left")
    top, bottom, foot = figure.subfigures(3, 1, height_ratios=[2.9, 3.2, text_height])
    first, second, third = top.subplots(1, 3)
    _bars(first, result, "macro_accuracy", "macro accuracy")
    _bars(second, result, "rare_average_precision", f"average precision of “{result['study']['rare_class']}”")
    _losses(third, result)
    for axes, name in zip(np.atleast_1d(bottom.subplots(1, len(names))), names, strict=True):
        _confusion(axes, result, name)
    foot.text(0.01, 0.95, "\n".join(words), va="top", fontsize=8.5)
    foot.text(0.01, 0.95 - 0.19 * len(words) / text_height, "\n".join(notes), va="top", fontsize=8, color="#8a4b00")
    return _png(figure, dpi=110)
