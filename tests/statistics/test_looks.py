"""Levels of several looks: the union bound, and what normal means of growing samples do."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.looks import look_levels, p_over_looks

LOOKS = [(3, 5, 8, 12), (2, 3), (2, 4, 6, 8, 10)]


@pytest.mark.parametrize("looks", LOOKS)
def test_the_levels_of_all_looks_are_the_whole_level(looks: tuple[int, ...]) -> None:
    levels = np.array(look_levels(looks))
    assert levels.sum() == pytest.approx(0.05)
    assert np.cumsum(levels) == pytest.approx(0.05 * (np.array(looks) / looks[-1]) ** 2)
    assert (levels > 0).all()


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("level", [0.05, 0.05 / 6])
def test_all_looks_together_err_less_often_than_stated(looks: tuple[int, ...], level: float) -> None:
    """Means of the first n of the same normal values: their correlations are known, and SciPy integrates over them."""
    times = np.array(looks) / looks[-1]
    correlations = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    bounds = stats.norm.isf(look_levels(looks, level))
    error = 1 - stats.multivariate_normal.cdf(bounds, cov=correlations, rng=0)
    assert 0.6 * level < error < level


def test_one_look_is_an_ordinary_test() -> None:
    assert look_levels([5]) == (0.05,)
    p = np.array([0.0, 1e-20, 0.01, 1.0])
    assert p_over_looks(p, [5], 0).tolist() == p.tolist()


def test_a_p_value_over_looks_is_the_level_at_which_the_look_just_rejects() -> None:
    looks = [3, 5, 8, 12]
    for overall in (0.05, 0.05 / 6, 1e-5):
        for look, alone in enumerate(look_levels(looks, overall)):
            assert float(p_over_looks(np.array(alone), looks, look)) == pytest.approx(overall)
    assert p_over_looks(np.array([0.5, 1.0]), looks, 0).tolist() == [1.0, 1.0]
