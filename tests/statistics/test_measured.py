"""Intervals of what probes measure, over examples."""

import numpy as np
import pytest

from harness.statistics.measured import mean_of, resampled


def test_a_mean_has_its_t_interval_and_the_examples() -> None:
    from scipy import stats

    values = np.random.default_rng(0).exponential(size=30)
    found = mean_of(values, [str(place) for place in range(30)])
    expected = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert found.interval == pytest.approx(expected)
    assert found.examples["7"] == values[7]
    assert mean_of([1.0], ["a"]).interval is None
    assert mean_of([1.0, 1.0], ["a", "b"]).interval is None
    assert resampled(lambda at: 3.0, 10).interval is None


def test_a_bootstrapped_interval_of_a_mean_is_nearly_that_of_the_formula() -> None:
    values = np.random.default_rng(0).normal(size=400)
    formula = mean_of(values, list(map(str, range(400)))).interval
    found = resampled(lambda at: float(values[at].mean()), 400)
    assert found.value == values.mean()
    assert formula is not None
    assert found.interval == pytest.approx(formula, abs=0.15 * (formula[1] - formula[0]))
