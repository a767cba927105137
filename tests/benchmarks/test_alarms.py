"""Rates of alarms and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks.alarms import poisson_interval


def test_without_an_alarm_the_interval_begins_at_0_and_ends_by_the_rule_of_three():
    """Law: at the upper end seeing none has a chance of 2.5 %."""
    low, high = poisson_interval(0, 2.0)
    assert low == 0
    assert np.exp(-2 * high) == pytest.approx(0.025)


@pytest.mark.parametrize("count", [1, 7])
def test_at_the_ends_so_few_or_so_many_alarms_have_a_chance_of_a_fortieth(count):
    low, high = poisson_interval(count, 0.5)
    assert poisson.sf(count - 1, 0.5 * low) == pytest.approx(0.025)
    assert poisson.cdf(count, 0.5 * high) == pytest.approx(0.025)
