"""Means with intervals, paired differences, a bootstrap over recordings, and classification metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.95
"""Confidence of every interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval, which is infinite for a single value."""

    mean: float
    low: float
    high: float
    count: int
    """Number of values it was computed from."""


def t_interval(values: Sequence[float]) -> Interval:
    """Mean of independent values with Student's t interval.

    Raises:
        ValueError: If there is no value.
    """
    from scipy.stats import t

    array = np.asarray(values, float)
    if not len(array):
        raise ValueError("t_interval: no value to average")
    mean = float(array.mean())
    if len(array) == 1:
        return Interval(mean=mean, low=-np.inf, high=np.inf, count=1)
    half = float(t.ppf(0.5 + LEVEL / 2, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Interval(mean=mean, low=mean - half, high=mean + half, count=len(array))


def paired_interval(values: Sequence[float], baseline: Sequence[float]) -> Interval:
    """Interval of the mean difference ``values - baseline`` where both were measured in pairs (the same seeds, in order).

    Raises:
        ValueError: If the two differ in length.
    """
    if len(values) != len(baseline):
        raise ValueError(f"paired_interval: {len(values)} values against {len(baseline)}; pair them by seed")
    return t_interval([a - b for a, b in zip(values, baseline, strict=True)])


def group_bootstrap(
    statistic: Callable[[Int[np.ndarray, "n"]], float],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Interval:
    """Percentile interval of a statistic over test windows, redrawing whole recordings.

    Windows of one recording resemble each other: redrawing single windows would give too narrow an interval.

    Args:
        statistic: From indices into the windows (with repeats) to a number; NaN draws are left out.
        groups: The recording of each window.
        rng: Draws the recordings.
        draws: How many times.
    """
    names = sorted(set(groups))
    members = [np.flatnonzero(np.asarray(groups) == name) for name in names]
    everything = float(statistic(np.arange(len(groups))))
    values = []
    for _ in range(draws):
        chosen = rng.integers(len(names), size=len(names))
        values.append(statistic(np.concatenate([members[i] for i in chosen])))
    finite = np.asarray(values)[np.isfinite(values)]
    if len(names) < 2 or not len(finite):
        return Interval(mean=everything, low=-np.inf, high=np.inf, count=len(names))
    low, high = np.quantile(finite, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(mean=everything, low=float(low), high=float(high), count=len(names))


def verdict(difference: Interval) -> str:
    """``gain``, ``harm``, ``no measurable difference``, or ``too few seeds``."""
    if difference.count < 2:
        return "too few seeds"
    if difference.low > 0:
        return "gain"
    if difference.high < 0:
        return "harm"
    return "no measurable difference"


def confusion(truth: Int[np.ndarray, "n"], predicted: Int[np.ndarray, "n"], classes: int) -> Int[np.ndarray, "c c"]:
    """Counts; rows are the true class, columns the predicted one."""
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def recalls(matrix: Int[np.ndarray, "c c"]) -> Float[np.ndarray, "c"]:
    """Recall of each class, NaN for a class without windows."""
    counts = matrix.sum(axis=1)
    return np.where(counts > 0, matrix.diagonal() / np.maximum(counts, 1), np.nan)


def macro_accuracy(matrix: Int[np.ndarray, "c c"]) -> float:
    """Mean recall over the classes that occur; chance is one over their number."""
    values = recalls(matrix)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def average_precision(positive: np.ndarray, scores: Float[np.ndarray, "n"]) -> float:
    """Area under precision and recall as a step function, windows of equal score taken together; NaN without positives."""
    positive = np.asarray(positive, bool)
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    hits, ranks = hits[last_of_tie], np.flatnonzero(last_of_tie) + 1
    return float(np.sum(np.diff(np.concatenate([[0], hits])) / positive.sum() * hits / ranks))


def expected_calibration_error(
    probabilities: Float[np.ndarray, "n c"], truth: Int[np.ndarray, "n"], *, bins: int = 10
) -> float:
    """Mean gap between stated confidence and accuracy, over equal bins of confidence, weighted by windows."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    where = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(right[where == b].mean() - confidence[where == b].mean()) * (where == b).mean() for b in np.unique(where)]
    return float(np.sum(gaps))


def false_alarms_per_hour(
    positive: np.ndarray,
    scores: Float[np.ndarray, "n"],
    recordings: Sequence[str],
    seconds: Float[np.ndarray, "n"],
    *,
    recall: float,
) -> float:
    """False alarms an hour at the highest threshold that still finds ``recall`` of the positive windows.

    Args:
        positive: Which windows show the event.
        scores: The classifier's score for it.
        recordings: The recording of each window; windows stand in time order within one.
        seconds: How much time each window stands for.
        recall: Share of positive windows to be found, 0..1.
    Returns:
        Runs of neighbouring alarming windows that show no event, each counted once, over the hours without event; NaN where
        there is no positive window or no time without one.
    """
    positive = np.asarray(positive, bool)
    hours = float(np.sum(seconds[~positive])) / 3600
    if not positive.any() or hours == 0:
        return float("nan")
    ranked = np.sort(scores[positive])[::-1]
    threshold = ranked[max(int(np.ceil(recall * len(ranked))), 1) - 1]
    false = (scores >= threshold) & ~positive
    starts = false.copy()
    same = np.asarray(recordings[1:]) == np.asarray(recordings[:-1])
    starts[1:] &= ~(false[:-1] & same)
    return float(starts.sum() / hours)
