"""The error of the test over folds in a small version of the simulation, and that the naive one errs more."""

import numpy as np
import pytest
from scipy import stats

from tests.bench.folds import SEPARATION, Setting, corrected, differences, found_shares, naive

N = 250


@pytest.mark.parametrize("setting", [Setting(60, 5, 1), Setting(60, 10, 1), Setting(200, 5, 3)])
def test_equal_methods_differ_in_at_most_5_percent_of_data_sets(setting: Setting) -> None:
    error, of_naive = found_shares(setting, (SEPARATION, SEPARATION), N, corrected, naive)
    assert error <= 0.05 + 3 * (0.05 * 0.95 / N) ** 0.5
    assert error <= of_naive
    if setting.n_seeds > 1:
        assert of_naive > 0.15


def test_a_better_method_is_found() -> None:
    assert found_shares(Setting(1000, 5, 1), (SEPARATION, 0.0), 40, corrected)[0] > 0.9


def test_the_naive_one_is_scipys_paired_test() -> None:
    by_run = differences(Setting(200, 5, 1), (SEPARATION, SEPARATION), np.random.default_rng(3))
    assert naive(by_run, 5) == pytest.approx(stats.ttest_1samp(by_run, 0).pvalue, rel=1e-3)
