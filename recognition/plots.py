"""The report's pictures, drawn with matplotlib."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = ("#3d6fb4", "#7fa7d9", "#d1762b", "#e3b23c", "#5a9367", "#8a6bb1", "#b04a5a", "#6b6b6b")


def view_of(result: dict[str, Any], name: str) -> dict[str, Any]:
    """A study's results as if it had one of its inputs alone."""
    return {**result, **result["inputs"][name], "runs": [run for run in result["runs"] if run["input"] == name]}


def _bars(axes: Any, result: dict[str, Any], metric: str, title: str) -> None:
    """Mean and interval of each arm, a dot for each seed."""
    names = list(result["arms"])
    for row, name in enumerate(names):
        interval = result["arms"][name][metric]
        if interval is None:
            continue
        axes.barh(row, interval["mean"], color=COLORS[row % len(COLORS)], height=0.62)
        if interval["low"] is not None:
            low, high = np.clip([interval["low"], interval["high"]], 0, 1)  # both figures end there
            axes.plot([low, high], [row, row], color="black", lw=1.5, solid_capstyle="butt")
        values = [run[metric] for run in result["runs"] if run["arm"] == name]
        axes.plot(values, [row] * len(values), "o", color="white", mec="black", ms=4, lw=0)
        right = max(interval["mean"], interval["high"] or 0, *values)
        axes.text(min(right, 1) + 0.02, row, f"{interval['mean']:.2f}", va="center", ha="left", fontsize=9)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)  # inverting an axis that two pictures share would do it twice
    axes.set_xlim(0, 1.15)  # room for the printed values
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if metric == "macro_accuracy":
        axes.axvline(result["chance"], color="grey", ls=":", lw=1)
        axes.text(result["chance"], -0.36, " chance", fontsize=7, color="grey", ha="left", va="bottom")


def _confusion(axes: Any, result: dict[str, Any], name: str) -> None:
    """Confusion matrix over all seeds, each row in per cent."""
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


def _has_losses(result: dict[str, Any]) -> bool:
    return bool(next(iter(result["arms"].values()))["losses"])


def _losses(axes: Any, result: dict[str, Any]) -> None:
    """Training loss, mean over the seeds, smoothed; nothing for inputs fused."""
    if not _has_losses(result):
        axes.axis("off")
        return
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


def _figure(width: float, height: float) -> Figure:
    """A figure without global state; it needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure, *, dpi: int = 120) -> bytes:
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
    """Training curves; no bytes for inputs fused, which were not trained."""
    if not _has_losses(result):
        return b""
    figure = _figure(10, 3)
    _losses(figure.subplots(), result)
    return _png(figure)


def draw_few(result: dict[str, Any]) -> bytes:
    """The rare class's average precision by the number of its real recordings; no bytes if the study did not ask."""
    if not result["few"]:
        return b""
    figure = _figure(7, 3.2)
    axes = figure.subplots()
    for row, (name, points) in enumerate(result["few"]["curves"].items()):
        shown = [point for point in points if point["mean"] is not None]
        counts, means = [point["events"] for point in shown], [point["mean"] for point in shown]
        color = COLORS[2 * row % len(COLORS)]
        axes.plot(counts, means, "o-", color=color, label=name.replace("_", " "), ms=4, lw=1.6)
        if all(point["low"] is not None for point in shown):
            low, high = ([np.clip(point[end], 0, 1) for point in shown] for end in ("low", "high"))
            axes.fill_between(counts, low, high, color=color, alpha=0.15, lw=0)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(f"real recordings of “{result['study']['rare_class']}” in training", fontsize=9)
    axes.set_title("average precision, mean and 95 % interval over seeds", fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


PLOTS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "scores": draw_scores, "confusions": draw_confusions, "losses": draw_losses, "few": draw_few,
}  # fmt: skip
"""Pictures of the HTML page: name to function."""


def draw_all(result: dict[str, Any]) -> bytes:
    """report.png: scores, training curves and confusion matrices on one sheet, with the verdicts in words.

    Of several inputs: a row of scores and training curves for each, without confusion matrices.
    """
    views = {name: view_of(result, name) for name in result["inputs"]}
    arms = len(next(iter(views.values()))["arms"])
    columns = max(3, arms) if len(views) == 1 else 3
    words, notes = (
        [line for text in texts if text for line in textwrap.wrap(text, 42 * columns, subsequent_indent="    ")]
        for texts in (result["verdicts"], [result["study"]["note"], *result["warnings"]])
    )
    heights = [2.9, 3.2] if len(views) == 1 else [1.6 + 0.3 * arms] * len(views)
    text_height = 0.155 * (len(words) + len(notes)) + 0.5
    figure = _figure(3.3 * columns, sum(heights) + text_height + 0.4)
    figure.suptitle(result["study"]["name"], fontsize=13, weight="bold", x=0.01, ha="left")
    parts: Any = figure.subfigures(len(heights) + 1, 1, height_ratios=[*heights, text_height])
    for part, (name, view) in zip(parts, views.items(), strict=False):
        first, second, third = part.subplots(1, 3)
        before = f"{name}: " if len(views) > 1 else ""
        _bars(first, view, "macro_accuracy", f"{before}macro accuracy")
        _bars(second, view, "rare_average_precision", f"{before}average precision of “{result['study']['rare_class']}”")
        _losses(third, view)
        if len(views) == 1:
            for axes, arm in zip(np.atleast_1d(parts[1].subplots(1, arms)), view["arms"], strict=True):
                _confusion(axes, view, arm)
    foot = parts[-1]
    foot.text(0.01, 0.95, "\n".join(words), va="top", fontsize=8.5)
    foot.text(0.01, 0.95 - (0.155 * len(words) + 0.1) / text_height, "\n".join(notes), va="top", fontsize=8, color="#8a4b00")
    return _png(figure, dpi=110)
