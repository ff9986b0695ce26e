"""Levels of several looks, against the multivariate normal distribution and the union bound."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.looks import EXPONENT, look_levels, p_over_looks

LOOKS = [(3, 5, 8, 12), (2, 3), (2, 4, 6, 8, 10)]


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("level", [0.05, 0.05 / 6])
def test_all_looks_together_err_as_often_as_stated(looks: tuple[int, ...], level: float) -> None:
    """Means of the first n of the same values: their correlations are known, and SciPy integrates over them."""
    times = np.array(looks) / looks[-1]
    correlations = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    bounds = stats.norm.isf(look_levels(looks, level))
    stopped_never = stats.multivariate_normal.cdf(bounds, cov=correlations, rng=0)
    assert 1 - stopped_never == pytest.approx(level, rel=0.01)


@pytest.mark.parametrize("looks", LOOKS)
def test_a_look_tests_at_no_less_than_the_union_bound_allows(looks: tuple[int, ...]) -> None:
    spent = 0.05 * (np.array(looks) / looks[-1]) ** EXPONENT
    added = np.diff(spent, prepend=0.0)
    levels = np.array(look_levels(looks))
    assert added.sum() == pytest.approx(0.05)
    assert levels[0] == pytest.approx(added[0], rel=1e-6)
    assert (levels[1:] > added[1:]).all()
    assert (levels[1:] < spent[1:]).all()


def test_one_look_is_an_ordinary_test() -> None:
    assert look_levels([5]) == pytest.approx((0.05,))
    p = np.array([1e-20, 1e-6, 0.01, 0.3])
    assert p_over_looks(p, [5], 0) == pytest.approx(p, rel=1e-6)


def test_a_p_value_over_looks_is_the_level_at_which_the_look_just_rejects() -> None:
    looks = [3, 5, 8, 12]
    for overall in (0.05, 0.05 / 6, 1e-5):
        for look, alone in enumerate(look_levels(looks, overall)):
            assert float(p_over_looks(np.array(alone), looks, look)) == pytest.approx(overall, rel=1e-3)


def test_it_grows_with_the_p_value_is_larger_and_no_more_than_1() -> None:
    p = np.r_[0.0, np.geomspace(1e-30, 1, 200)]
    for look in range(4):
        found = p_over_looks(p, [3, 5, 8, 12], look)
        assert (np.diff(found) >= 0).all()
        assert (found >= p * 0.999).all()
        assert found.max() == 1.0
