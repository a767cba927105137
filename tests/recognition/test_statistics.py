"""Figures against known answers, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from recognition import statistics


def test_the_interval_is_scipys():
    values = [0.61, 0.64, 0.58, 0.7]
    interval = statistics.t_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert interval.mean == pytest.approx(np.mean(values))
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_the_interval_of_three_values_by_hand():
    # t(0.975, 2) = 4.302653; the standard error of 1, 2, 3 is 1 / sqrt(3)
    assert statistics.t_interval([1, 2, 3]).high == pytest.approx(2 + 4.302653 / np.sqrt(3), abs=1e-5)


def test_one_value_has_no_bounds():
    interval = statistics.t_interval([0.5])
    assert (interval.low, interval.high) == (-np.inf, np.inf)
    assert statistics.verdict(interval) == "too few seeds"


def test_pairing_removes_what_both_share():
    paired = statistics.paired_interval([0.51, 0.71, 0.91], [0.5, 0.7, 0.9])
    assert paired.low == pytest.approx(0.01)
    assert statistics.verdict(paired) == "gain"
    with pytest.raises(ValueError, match="pair them by seed"):
        statistics.paired_interval([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.01, 0.1, "gain"), (-0.1, -0.01, "harm"), (-0.1, 0.1, "no measurable difference")]
)
def test_the_verdict_follows_the_interval(low, high, word):
    assert statistics.verdict(statistics.Interval(mean=(low + high) / 2, low=low, high=high, count=3)) == word


def test_macro_accuracy_weighs_classes_not_windows():
    truth, predicted = np.array([0] * 8 + [1, 1]), np.array([0] * 8 + [0, 1])
    matrix = statistics.confusion(truth, predicted, 3)
    assert matrix.tolist() == [[8, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert statistics.macro_accuracy(matrix) == pytest.approx(0.75)
    assert statistics.macro_accuracy(matrix) == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_average_precision_is_scikit_learns_with_ties_too():
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.1
    for scores in (rng.random(200), rng.integers(0, 5, 200) / 5):
        assert statistics.average_precision(positive, scores) == pytest.approx(average_precision_score(positive, scores))
    assert np.isnan(statistics.average_precision(np.zeros(3, bool), np.ones(3)))


def test_a_sure_and_right_classifier_is_calibrated():
    truth = np.array([0, 1, 1])
    assert statistics.expected_calibration_error(np.eye(2)[truth], truth) == 0
    assert statistics.expected_calibration_error(np.eye(2)[1 - truth], truth) == 1


def test_the_bootstrap_redraws_whole_recordings():
    values = np.array([0.0] * 50 + [1.0] * 50)
    groups = ["a"] * 50 + ["b"] * 50
    interval = statistics.group_bootstrap(lambda index: float(values[index].mean()), groups, rng=np.random.default_rng(0))
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.0, 1.0)


def test_the_paired_p_value_is_scipys():
    ours, theirs = [0.61, 0.64, 0.58, 0.7, 0.66], [0.6, 0.6, 0.59, 0.62, 0.6]
    assert statistics.paired_p(ours, theirs) == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
    assert statistics.paired_p([0.5], [0.1]) == 1
    assert statistics.paired_p([0.5, 0.7], [0.5, 0.7]) == 1


def test_the_permutation_test_counts_the_exchanges_that_are_as_extreme():
    rng = np.random.default_rng(0)
    # All on one side: of 2^5 exchanges only the one found and its opposite.
    assert statistics.sign_flip_p([1, 2, 3, 4, 5], rng=rng) == 2 / 32 == statistics.least_sign_flip_p(5)
    # 1 + 2 - 3 = 0: every exchange is as extreme.
    assert statistics.sign_flip_p([1, 2, -3], rng=rng) == 1
    # 3 + 1 - 1 = 3: as extreme are |sums| of 3 and 5: (+,+,-), (+,-,+), (+,+,+) and their opposites.
    assert statistics.sign_flip_p([3, 1, -1], rng=rng) == 6 / 8
    # Many events: drawn, near the normal approximation.
    values = np.random.default_rng(1).normal(0.3, 1, 60)
    normal = 2 * stats.norm.sf(abs(values.sum()) / np.sqrt((values**2).sum()))
    assert statistics.sign_flip_p(values.tolist(), rng=rng) == pytest.approx(normal, abs=0.02)
    assert statistics.sign_flip_p([0.4], rng=rng) == 1


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.7, 0.6]) == [1, 1]
    assert statistics.holm([0.02]) == [0.02]


def test_what_the_events_add_is_the_difference_of_macro_accuracy():
    rng = np.random.default_rng(2)
    truth, ours, theirs = rng.integers(0, 4, (3, 80))
    truth[truth == 2] = 1  # a class without windows
    groups = [f"event {i // 8}" for i in range(80)]
    accuracy = [statistics.macro_accuracy(statistics.confusion(truth, predicted, 4)) for predicted in (ours, theirs)]
    added = statistics.event_differences(ours, theirs, truth, groups)
    assert len(added) == 10
    assert added.sum() == pytest.approx(accuracy[0] - accuracy[1])


def test_temperature_is_found_and_lowers_the_brier_score():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 3)) * 2
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=p) for p in true])
    too_sure = statistics.with_temperature(true, 1 / 2.5)
    assert statistics.fit_temperature(too_sure, truth) == pytest.approx(2.5, rel=0.1)
    np.testing.assert_allclose(statistics.with_temperature(too_sure, 2.5), true, atol=5e-3)  # below 1e-7 all is equal
    np.testing.assert_allclose(statistics.with_temperature(true, 1), true, atol=1e-6)
    assert statistics.brier_score(true, truth) < statistics.brier_score(too_sure, truth)


def test_the_brier_score_by_hand():
    assert statistics.brier_score(np.array([[1.0, 0.0], [0.2, 0.8]]), np.array([0, 0])) == pytest.approx((0 + 0.64 + 0.64) / 2)
