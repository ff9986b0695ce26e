"""Statistics against SciPy, statsmodels, published values and brute force."""

from itertools import product
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.statistics.intervals import (
    holm,
    majority_vote,
    mcnemar,
    mean_interval,
    rank_methods,
    seed_correlation,
    t_quantile,
)


@pytest.mark.parametrize("value", [0.1, 2 / 3, 0.6675000000000001])
def test_equal_values_have_no_spread_to_the_last_bit(value: float) -> None:
    found = mean_interval([value] * 3)
    assert (found.mean, found.sd, found.half_width) == (value, 0, 0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_mean_interval_equals_scipy(values: list[float]) -> None:
    found = mean_interval(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(stdev(values), abs=1e-12)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=1)
    assert found.half_width == pytest.approx((high - low) / 2 * stdev(values) / len(values) ** 0.5, abs=1e-12)


def test_one_seed_has_no_interval() -> None:
    found = mean_interval([0.5])
    assert (found.sd, found.half_width, found.n) == (None, None, 1)


@pytest.mark.parametrize("level", [0.05, 1e-4, 1e-12])
def test_t_quantile_equals_scipy(level: float) -> None:
    degrees = np.array([1, 2, 4, 9, 1000])
    np.testing.assert_allclose(t_quantile(degrees, level), stats.t.isf(level / 2, degrees), rtol=1e-7)


def test_holm_equals_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 40):
        p_values = rng.choice([0.0, 1e-6, 0.001, 0.01, 0.02, 0.2, 0.9, 1.0], size=n)  # with ties
        np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_of_nothing() -> None:
    assert holm([]).shape == (0,)


def test_holm_of_many_families_is_holm_of_each() -> None:
    families = np.random.default_rng(1).random((4, 3, 6)) ** 3
    for place in np.ndindex(4, 3):
        np.testing.assert_allclose(holm(families)[place], holm(families[place]))


def test_seed_correlation_is_the_share_of_a_common_effect() -> None:
    rng = np.random.default_rng(2)
    tables = [rng.normal(size=(5, 400)) + 0.5 * rng.normal(size=400) for _ in range(4)]
    still = [np.vstack([table, np.full(400, 0.7)]) for table in tables]
    assert seed_correlation(tables) == pytest.approx(0.25 / 1.25, abs=0.06)
    assert seed_correlation(still) == pytest.approx(seed_correlation(tables))
    pair = rng.normal(size=(2, 30)) * 3
    covariances = np.cov(pair)
    assert seed_correlation([pair]) == pytest.approx(2 * covariances[0, 1] / np.trace(covariances))


def test_methods_that_no_seed_moves_have_no_correlation() -> None:
    assert seed_correlation([np.ones((3, 4))]) is None
    assert seed_correlation([]) is None


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_equals_statsmodels(seed: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference

    a, b = np.random.default_rng(seed).random((2, 60)) < [[0.8], [0.6]]
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert mcnemar(a, b) == pytest.approx(reference(table, exact=True).pvalue)


def test_mcnemar_equals_all_sign_flips() -> None:
    """Under the null hypothesis each example's two answers may be swapped: enumerate every way of doing so."""
    a = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1], dtype=bool)
    b = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0], dtype=bool)
    differences = a.astype(int) - b
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=len(a))]
    assert mcnemar(a, b) == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum())))


def test_mcnemar_of_equal_answers() -> None:
    assert mcnemar([True, False], [True, False]) == 1


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=50)
def test_majority_vote_equals_counting(n_seeds: int, n_labels: int, seed: int) -> None:
    votes = np.random.default_rng(seed).integers(n_labels, size=(n_seeds, 20))
    for column, winner in zip(votes.T, majority_vote(votes), strict=True):
        answers = column.tolist()
        assert winner == max(answers, key=lambda answer: (answers.count(answer), -answers.index(answer)))


def test_majority_vote_of_texts() -> None:
    votes = np.array([["a", "x"], ["b", "y"], ["b", "x"]], dtype=object)
    assert majority_vote(votes).tolist() == ["b", "x"]


def test_ranks_equal_scipy_and_demsar() -> None:
    """Demšar 2006, table 6: four classifiers on 14 data sets, their published ranks, Friedman chi² and Nemenyi CD."""
    auc = np.array(
        [
            [0.763, 0.768, 0.771, 0.798],
            [0.599, 0.591, 0.590, 0.569],
            [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657],
            [0.882, 0.888, 0.886, 0.898],
            [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685],
            [0.583, 0.583, 0.563, 0.625],
            [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000],
            [0.940, 0.962, 0.965, 0.962],
            [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.9751, 0.975],
            [0.957, 0.978, 0.946, 0.970],
        ]
    )
    found = rank_methods(auc)
    np.testing.assert_allclose(found.average_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*auc.T).pvalue)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    # The paper: even the best and the worst are nearer than the critical difference, so all four form one clique.
    assert found.cliques() == [(3, 1, 2, 0)]


def test_cliques_are_maximal_and_within_the_critical_difference() -> None:
    scores = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]] * 8)
    found = rank_methods(scores)
    assert 2 < found.critical_difference < 3
    assert found.cliques() == [(0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_equal_methods_have_equal_ranks() -> None:
    found = rank_methods(np.ones((4, 3)))
    assert found.average_ranks.tolist() == [2, 2, 2]
    assert found.friedman_p == 1
