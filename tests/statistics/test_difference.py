"""The paired difference against t-tests in its two limits, closed forms, and simulations of its promise."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.metric import make_metric
from harness.statistics.difference import (
    Resampled,
    SeedVariance,
    Uncertainty,
    difference,
    larger_variance,
    least_p,
    paired_bootstrap,
    pool_seed_variance,
)
from harness.statistics.intervals import holm, mean_interval
from harness.statistics.resampling import bootstrap_scores
from harness.storage.predictions import Answers
from tests.synthetic import Effects, draw_correct


def resampled(correct: np.ndarray, n_resamples: int = 1000) -> Resampled:
    """Accuracy of one method from which answers are right, shape (S, N)."""
    targets = np.ones(correct.shape[1], dtype=int)
    runs = [Answers.of(targets, run) for run in correct.astype(int)]
    replicates = bootstrap_scores(make_metric("accuracy"), runs, n_resamples)
    return Resampled(tuple(range(len(correct))), correct.mean(axis=1), replicates, correct.shape[1])


def draw(n_methods: int, n_seeds: int, n_examples: int, seed: int = 0, **effects: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw_correct(np.full(n_methods, 1.2), n_seeds, n_examples, rng, Effects(**effects))


def test_deterministic_methods_give_the_t_test_over_examples() -> None:
    """Methods that answer alike for every seed (zero-shot) vary by examples only."""
    a, b = (np.repeat(method[:1], 3, axis=0) for method in draw(2, 1, 400, seed=3, example_by_method=1.0))
    found = difference(resampled(a, 20_000), resampled(b, 20_000))
    reference = stats.ttest_rel(a[0].astype(float), b[0].astype(float))
    assert found.p_value == pytest.approx(reference.pvalue, rel=0.05)
    low, high = reference.confidence_interval(0.95)
    assert (found.mean, 2 * found.half_width) == (pytest.approx((low + high) / 2), pytest.approx(high - low, rel=0.02))


def test_without_variance_of_examples_it_is_the_t_test_over_seeds() -> None:
    a, b = np.array([[0.9, 0.91, 0.93, 0.9, 0.92], [0.88, 0.9, 0.9, 0.89, 0.93]])
    still = np.zeros((10, 5))
    found = difference(Resampled((0, 1, 2, 3, 4), a, still, 100), Resampled((0, 1, 2, 3, 4), b, still, 100))
    reference = stats.ttest_rel(a, b)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-3)
    assert found.half_width == pytest.approx(np.ptp(reference.confidence_interval(0.95)) / 2)


def parts(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """s² and C of accuracies in closed form: C is the mean covariance of the differences of two seeds, over N."""
    n_seeds, n = a.shape
    by_example = a.astype(float) - b
    covariances = [np.cov(by_example[s], by_example[t])[0, 1] for s, t in combinations(range(n_seeds), 2)]
    common = max(0.0, np.mean(covariances) / n)
    own = by_example.var(axis=1, ddof=1).mean() / n
    return max(by_example.mean(axis=1).var(ddof=1), own - common), common


def test_with_few_seeds_both_variances_add_in_quadrature_with_their_own_quantiles() -> None:
    n_seeds, n = 3, 300
    a, b = draw(2, n_seeds, n, seed=1, example_by_method=1.0)
    seeds, common = parts(a, b)
    expected = np.sqrt(stats.t.ppf(0.975, n_seeds - 1) ** 2 * seeds / n_seeds + stats.t.ppf(0.975, n - 1) ** 2 * common)
    assert difference(resampled(a, 20_000), resampled(b, 20_000)).half_width == pytest.approx(expected, rel=0.03)


def test_with_more_seeds_the_degrees_of_freedom_are_hilliss() -> None:
    """ddf_H of the paper, (MS + r max(cov2 - cov3, 0))² / (MS² / df), with the degrees of the examples beside it."""
    n_seeds, n = 10, 300
    a, b = draw(2, n_seeds, n, seed=1, example_by_method=1.0)
    seeds, common = parts(a, b)
    variance = seeds / n_seeds + common
    degrees = variance**2 / ((seeds / n_seeds) ** 2 / (n_seeds - 1) + common**2 / (n - 1))
    found = difference(resampled(a, 20_000), resampled(b, 20_000))
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, degrees) * variance**0.5, rel=0.03)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.mean) / variance**0.5, degrees), rel=0.1)


@pytest.mark.parametrize("n_seeds", [3, 10])
def test_the_p_value_is_the_level_at_which_the_interval_touches_zero(n_seeds: int) -> None:
    a, b = draw(2, n_seeds, 300, seed=5)
    found = difference(resampled(a), resampled(b))
    shifted = resampled(a)
    at_edge = Resampled(
        shifted.seeds, shifted.scores - found.mean + found.half_width, shifted.replicates, shifted.n_examples
    )
    moved = difference(at_edge, resampled(b))
    assert moved.p_value == pytest.approx(0.05, rel=1e-3)
    assert moved.uncertainty.worse_p(moved.mean) == pytest.approx(0.025, rel=1e-3)
    assert moved.uncertainty.worse_p(-moved.mean) == pytest.approx(0.975, rel=1e-3)


@pytest.mark.parametrize("n_seeds", [2, 3, 10])
def test_its_p_value_is_never_below_the_bound_that_needs_no_predictions(n_seeds: int) -> None:
    for seed in range(20):
        a, b, c = draw(3, n_seeds, 100, seed=seed)
        pooled = pool_seed_variance(np.array([m.mean(axis=1) for m in (a, b, c)]))
        found = difference(resampled(a), resampled(b), pooled)
        lead = (a.mean(axis=1) - b.mean(axis=1)) * np.sign(found.mean)
        assert found.uncertainty.worse_p(abs(found.mean)) >= 0.999 * least_p(lead, pooled)


def test_differences_without_any_variance_are_certain_or_nothing() -> None:
    for n_seeds in (2, 10):
        still = Uncertainty(SeedVariance(np.zeros(2), np.full(2, n_seeds - 1.0)), n_seeds, np.zeros(2), 100)
        assert still.p_value(np.array([0.0, 0.1])) == pytest.approx([1, 0], abs=1e-3)


def test_it_is_antisymmetric_and_zero_for_the_same_answers() -> None:
    a, b = (resampled(method) for method in draw(2, 3, 200))
    there, back = difference(a, b), difference(b, a)
    assert (there.mean, there.p_value) == (pytest.approx(-back.mean), pytest.approx(back.p_value))
    same = difference(a, a)
    assert (same.mean, same.half_width, same.p_value) == (0, 0, pytest.approx(1, rel=1e-3))


def test_only_shared_seeds_count_and_one_is_not_enough() -> None:
    a, b = (resampled(method) for method in draw(2, 4, 200))
    assert difference(a.at([3, 1]), b.at([1, 2, 3])) == difference(a.at([1, 3]), b.at([1, 3]))
    with pytest.raises(ValueError, match="two seeds"):
        difference(a.at([0, 1]), b.at([1, 2]))


def test_two_seeds_that_tie_by_luck_are_not_certain() -> None:
    """Equal differences in two seeds have a sample variance of 0, though the examples alone make seeds differ."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 2, 50)) < 0.7
    b[:, :], a[:, :] = False, False
    a[0, :30], a[1, 5:35], b[0, :20], b[1, 10:30] = True, True, True, True
    assert np.ptp(a.mean(axis=1) - b.mean(axis=1)) == pytest.approx(0)
    assert difference(resampled(a), resampled(b)).p_value > 0.05


def test_pooled_variance_is_the_error_of_a_randomized_block_design() -> None:
    """Against statsmodels: method and seed as factors; a difference of two methods has twice the error's variance."""
    import pandas as pd
    from statsmodels.formula.api import ols

    scores = np.random.default_rng(4).normal(size=(4, 3))
    long = pd.DataFrame([(m, s, scores[m, s]) for m in range(4) for s in range(3)], columns=["m", "s", "y"])
    found = pool_seed_variance(scores)
    assert found is not None
    assert found.value == pytest.approx(2 * ols("y ~ C(m) + C(s)", long).fit().mse_resid)
    pairs = [(scores[a] - scores[b]).var(ddof=1) for a, b in combinations(range(4), 2)]
    assert found.value == pytest.approx(np.mean(pairs))


def test_degrees_of_freedom_fall_from_all_methods_to_the_erratic_one() -> None:
    rng = np.random.default_rng(5)
    equal, erratic = rng.normal(size=(6, 2000)), rng.normal(size=(6, 2000)) * [[1], [1], [1], [1], [1], [1000]]
    degrees = [found.degrees / 1999 for scores in (equal, erratic) if (found := pool_seed_variance(scores))]
    assert degrees == [pytest.approx(5, rel=0.02), pytest.approx(1.17, rel=0.02)]


def test_nothing_is_pooled_over_two_methods() -> None:
    assert pool_seed_variance(np.array([[1.0, 2.0], [3.0, 5.0]])) is None


def test_the_larger_variance_counts_and_an_erratic_pair_is_judged_by_itself() -> None:
    pooled = SeedVariance(np.array(2.0), np.array(12.0))
    found = larger_variance(np.array([0.5, 4.0, 200.0]), pooled, 3)
    assert found.value.tolist() == [2, 4, 200]
    assert found.degrees.tolist() == [12, 6, 2]
    alone = larger_variance(np.array([0.5]), None, 3)
    assert (alone.value.tolist(), alone.degrees.tolist()) == ([0.5], [2])


def test_pooling_helps_three_seeds() -> None:
    cells = [resampled(m) for m in draw_correct(np.array([2.0, 1.2, 1.2, 1.2, 1.2]), 3, 400, np.random.default_rng(6))]
    pooled = pool_seed_variance(np.array([cell.scores for cell in cells]))
    own, both = difference(cells[0], cells[1]), difference(cells[0], cells[1], pooled)
    assert both.p_value < own.p_value / 3


def test_tables_side_by_side_are_those_one_by_one() -> None:
    """What the simulation does with arrays is what a table does with numbers."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(4, 5, 3))
    pooled = pool_seed_variance(scores)
    assert pooled is not None
    for table, value, degrees in zip(scores, pooled.value, pooled.degrees, strict=True):
        alone = pool_seed_variance(table)
        assert alone is not None
        assert (value, degrees) == (pytest.approx(alone.value), pytest.approx(alone.degrees))
    for n_seeds in (3, 5):
        leads, examples = np.array([0.1, 1.0, 3.0]), np.array(0.2)
        together = Uncertainty(
            SeedVariance(np.array([1.0, 2.0, 0.5]), np.array([4.0, 2.0, 8.0])), n_seeds, examples, 90
        )
        for place, p in enumerate(together.p_value(leads)):
            seeds = SeedVariance(together.seeds.value[place], together.seeds.degrees[place])
            assert p == pytest.approx(float(Uncertainty(seeds, n_seeds, examples, 90).p_value(leads[place])), rel=1e-3)


def test_paired_bootstrap_resamples_seeds_and_examples() -> None:
    """Against a plain loop over draws of seeds and examples."""
    a, b = draw(2, 4, 150, seed=2)
    low, high = paired_bootstrap(resampled(a, 5000), resampled(b, 5000))
    rng = np.random.default_rng(9)
    replicates = []
    for _ in range(5000):
        seeds, examples = rng.integers(4, size=4), rng.integers(150, size=150)
        replicates.append((a[np.ix_(seeds, examples)].mean() - b[np.ix_(seeds, examples)].mean()).item())
    np.testing.assert_allclose([low, high], np.quantile(replicates, [0.025, 0.975]), atol=0.003)


def _limit(share: float, n: int) -> float:
    """The share plus three standard errors of a simulation with n repetitions."""
    return share + 3 * (share * (1 - share) / n) ** 0.5


@pytest.mark.parametrize(
    ("n_seeds", "effects"),
    [
        (2, Effects()),
        (3, Effects(example=1.0, example_by_method=0.5, seed=0.1)),
        (3, Effects(example=1.0, example_by_method=0.0, seed=0.3)),
        (5, Effects(example=2.0, example_by_method=1.0, seed=0.0)),
    ],
    ids=["two seeds", "mixed", "seeds only", "examples only"],
)
def test_equal_methods_are_separated_in_at_most_5_percent_of_families(n_seeds: int, effects: Effects) -> None:
    """Four equal methods, new seeds and new test examples each time: six pairs, Holm."""
    n_repetitions, rng = 250, np.random.default_rng(0)
    errors = 0
    for _ in range(n_repetitions):
        cells = [resampled(m, 200) for m in draw_correct(np.full(4, 1.2), n_seeds, 150, rng, effects)]
        pooled = pool_seed_variance(np.array([cell.scores for cell in cells]))
        errors += (holm([difference(a, b, pooled).p_value for a, b in combinations(cells, 2)]) <= 0.05).any()
    assert errors / n_repetitions <= _limit(0.05, n_repetitions)


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_the_interval_of_a_difference_covers_the_true_one(n_seeds: int) -> None:
    n_repetitions, rng = 1000, np.random.default_rng(1)
    skills, effects = np.array([1.2, 0.9, 1.0]), Effects(example=1.0, example_by_method=0.6, seed=0.08)
    spread = np.sqrt(1 + effects.example**2 + effects.example_by_method**2 + effects.seed**2)
    truth = float(np.subtract(*stats.norm.cdf(skills[:2] / spread)))
    covered = 0
    for _ in range(n_repetitions):
        cells = [resampled(m, 200) for m in draw_correct(skills, n_seeds, 200, rng, effects)]
        found = difference(cells[0], cells[1], pool_seed_variance(np.array([cell.scores for cell in cells])))
        covered += abs(found.mean - truth) <= found.half_width
    assert 1 - covered / n_repetitions <= _limit(0.05, n_repetitions)


@pytest.mark.parametrize("n_seeds", [2, 3, 10])
def test_the_interval_of_a_mean_covers_95_percent_over_seeds(n_seeds: int) -> None:
    scores = np.random.default_rng(2).normal(0.9, 0.01, size=(4000, n_seeds))
    intervals = [mean_interval(row) for row in scores]
    covered = np.mean([abs(i.mean - 0.9) <= (i.half_width or 0) for i in intervals])
    assert covered == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 4000) ** 0.5)


@pytest.mark.parametrize("level", [0.05, 0.0024, 0.0005])
def test_banerjees_interval_holds_at_the_small_levels_that_holm_asks_for(level: float) -> None:
    """Normal components with known variance of the examples: the level is kept however the variance is divided."""
    rng, n_repetitions = np.random.default_rng(3), 20_000
    for n_seeds in (2, 3):
        for ratio in (0.1, 1.0, 10.0):
            draws = rng.normal(size=(n_repetitions, n_seeds)) * ratio**0.5
            means = draws.mean(axis=1) + rng.normal(size=n_repetitions)
            variance = SeedVariance(draws.var(axis=1, ddof=1), np.full(n_repetitions, n_seeds - 1.0))
            widths = Uncertainty(variance, n_seeds, np.array(1.0), 10_000).half_width(level)
            assert np.mean(np.abs(means) > widths) <= _limit(level, n_repetitions)
