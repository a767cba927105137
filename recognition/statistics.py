"""Means with intervals, paired tests, a bootstrap over recordings, classification metrics, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


def paired_p(values: Sequence[float], baseline: Sequence[float]) -> float:
    """Two-sided p-value of Student's paired t-test that the mean difference is 0; 1 for a single pair."""
    from scipy.stats import t

    found = paired_interval(values, baseline)
    error = float(np.std(np.subtract(values, baseline), ddof=1) / np.sqrt(found.count)) if found.count > 1 else np.inf
    if error == 0:
        return 1.0 if found.mean == 0 else 0.0
    return float(2 * t.sf(abs(found.mean) / error, max(found.count - 1, 1)))


def sign_flip_p(differences: Sequence[float], *, rng: np.random.Generator, draws: int = 10_000) -> float:
    """Two-sided p-value of the permutation test that paired differences are as likely to be negative as positive.

    If the two classifiers were alike, exchanging them in any one event would change its difference's sign and nothing else.
    All 2^n exchanges are counted where they are at most ``draws``, else as many are drawn.

    Args:
        differences: One for each test event; their sum is the statistic.
        rng: Draws the exchanges.
        draws: How many.
    """
    from scipy.stats import permutation_test

    array = np.asarray(differences, float)
    if len(array) < 2 or not array.any():
        return 1.0
    # Sums that differ by rounding alone are equal; scipy's own tolerance is for their value, which may be 0.
    scale = float(np.abs(array).max())
    tested = permutation_test(
        (array / scale,), lambda sample, axis: np.round(np.sum(sample, axis=axis), 9), vectorized=True,
        permutation_type="samples", n_resamples=draws, alternative="two-sided", rng=rng,
    )  # fmt: skip
    return float(tested.pvalue)


def least_sign_flip_p(events: int) -> float:
    """The smallest p-value that ``sign_flip_p`` can give for so many events: all differences on one side."""
    return min(1.0, 2.0 ** (1 - events))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: with it, the chance of one false discovery among all comparisons stays below the level.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1)
    result = np.empty(len(p_values))
    result[order] = adjusted
    return result.tolist()


def event_differences(
    ours: Int[np.ndarray, "n"], theirs: Int[np.ndarray, "n"], truth: Int[np.ndarray, "n"], groups: Sequence[str]
) -> Float[np.ndarray, "g"]:
    """What each test event adds to the difference of two classifiers' macro accuracy; their sum is that difference.

    Args:
        ours: Predicted classes.
        theirs: Predicted classes of the other.
        truth: True classes.
        groups: The event of each window.
    """
    counts = np.bincount(truth)
    weight = 1 / (counts[truth] * np.count_nonzero(counts))
    gained = weight * ((ours == truth).astype(float) - (theirs == truth))
    _, event = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(event, weights=gained)


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


def brier_score(probabilities: Float[np.ndarray, "n c"], truth: Int[np.ndarray, "n"]) -> float:
    """Mean squared distance between the probabilities and the truth as 0 and 1, summed over the classes: 0 perfect, 2 worst."""
    return float(np.mean(np.sum((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2, axis=1)))


def with_temperature(probabilities: Float[np.ndarray, "n c"], temperature: float) -> Float[np.ndarray, "n c"]:
    """Probabilities of the same logits divided by a temperature: above 1 less sure, below 1 surer; the order stays.

    Rows of zeros, where nobody was seen, stay so.
    """
    logs = np.log(np.maximum(probabilities, 1e-7)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True) * probabilities.any(axis=1, keepdims=True)


def fit_temperature(probabilities: Float[np.ndarray, "n c"], truth: Int[np.ndarray, "n"]) -> float:
    """The temperature, 0.1 to 10, at which the true classes are likeliest.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        found = with_temperature(probabilities, float(np.exp(log_temperature)))
        return float(-np.mean(np.log(np.maximum(found[np.arange(len(truth)), truth], 1e-12))))

    best: Any = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded")
    return float(np.exp(best.x))
