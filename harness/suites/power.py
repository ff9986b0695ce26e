"""How many seeds and examples a comparison needs to show a difference, and a search to choose by more than luck."""

from bisect import bisect_left
from functools import cache
from math import ceil, sqrt

import numpy as np
from scipy import special

from harness.statistics.difference import Uncertainty, larger_variance, pool_seed_variance
from harness.statistics.intervals import LEVEL, Floats, holm

POWER = 0.8
"""Probability of finding a difference that is there."""
DISAGREEMENT = 0.1
"""Assumed share of examples on which two equally good methods differ in being right."""
SHARED_DISAGREEMENT = 0.03
"""Assumed share of it that is there whatever the seeds: the rest is chance that more seeds average out."""
SEED_DEVIATION = 0.01
"""Assumed standard deviation of one method's metric over seeds, were there any number of test examples."""
MOST_SEEDS = 100
"""More are never advised."""
N_TABLES = 400
"""Simulated tables of one task, fewer of more: a power has a standard error of 2 points."""


@cache
def examples_needed(difference: float) -> int:
    """Test examples on which McNemar's test finds a difference in accuracy.

    n = ((z_alpha sqrt(psi) + z_beta sqrt(psi - d^2)) / d)^2, where psi, the share of examples that one method gets
    right and the other wrong, is DISAGREEMENT + d.

    Args:
        difference: d, the difference in accuracy, in 0..1.

    Source:
        Connor 1987, equation 3, https://doi.org/10.2307/2531961
    """
    from statsmodels.stats.power import normal_sample_size_one_tail

    discordant = DISAGREEMENT + difference
    deviation = sqrt(discordant - difference**2)
    return ceil(normal_sample_size_one_tail(difference, POWER, LEVEL / 2, sqrt(discordant), deviation))


def luck_of_best(n_trials: int, n_examples: int) -> float:
    """By how much the best of equally good trials looks better than it is, on the examples that chose it.

    The expected largest of so many normal values (Blom's approximation), of the standard deviation that a metric has
    if two equal trials disagree on DISAGREEMENT of the examples.
    """
    return float(special.ndtri((n_trials - 0.375) / (n_trials + 0.25))) * sqrt(DISAGREEMENT / (2 * n_examples))


@cache
def seeds_needed(
    difference: float, n_methods: int, n_tasks: int = 1, n_examples: int | None = None, level: float = LEVEL
) -> int | None:
    """Seeds with which a table finds, of its methods, those worse than the best of a task by a difference.

    Args:
        difference: Of the metric, in 0..1.
        n_methods: Of every task, 2 or more.
        n_tasks: Tasks whose verdicts are corrected together.
        n_examples: Test examples; None: so many that they add nothing.
        level: Of the test.

    Returns:
        None where ``MOST_SEEDS`` are too few: test examples limit what can be seen.
    """
    numbers = range(2, MOST_SEEDS + 1)
    place = bisect_left(
        numbers, POWER, key=lambda n: verdict_power(difference, n, n_methods, n_tasks, n_examples, level)
    )
    return numbers[place] if place < len(numbers) else None


@cache
def verdict_power(
    difference: float,
    n_seeds: int,
    n_methods: int,
    n_tasks: int = 1,
    n_examples: int | None = None,
    level: float = LEVEL,
) -> float:
    """The share of simulated methods that a table finds worse than the best, which leads all of them by a difference.

    The rule is the table's own, all cells and tasks corrected together. Arguments as for ``seeds_needed``.
    """
    gaps = np.r_[0.0, np.full(n_methods - 1, difference)]
    n = n_examples or 10**9
    example_variance = SHARED_DISAGREEMENT / n
    deviation = sqrt(SEED_DEVIATION**2 + (DISAGREEMENT - SHARED_DISAGREEMENT) / (2 * n))
    rng = np.random.default_rng(0)
    tables = max(50, N_TABLES // n_tasks), n_tasks
    scores = draw_scores(rng, tables, gaps, n_seeds, example_variance, np.full(n_methods, deviation))
    return float(is_dropped(scores, example_variance, n, level)[..., 1:].mean())


def draw_scores(
    rng: np.random.Generator,
    tables: tuple[int, int],
    gaps: Floats,
    n_seeds: int,
    example_variance: float,
    seed_deviations: Floats,
) -> Floats:
    """Simulated scores of shape (tables, tasks, K methods, S seeds), normal around ``-gaps``, which has shape (K,).

    Args:
        rng: Random numbers.
        tables: Number of tables and of tasks in each.
        gaps: How much worse each method is than the best.
        n_seeds: S.
        example_variance: Of the difference of two methods, from the examples that all seeds share.
        seed_deviations: Standard deviation over seeds, shape (K,).
    """
    shape = (*tables, len(gaps))
    of_examples = (example_variance / 2) ** 0.5 * rng.normal(size=shape)
    of_seeds = seed_deviations[:, None] * rng.normal(size=(*shape, n_seeds))
    return np.asarray((of_examples - gaps)[..., None] + of_seeds)


def is_dropped(scores: Floats, example_variance: float, n_examples: int, level: float = LEVEL) -> Floats:
    """Which cells of simulated tables are found worse than the best of their task, bool, shape (tables, tasks, K).

    Args:
        scores: Shape (tables, tasks, K, S).
        example_variance: As for ``draw_scores``; known.
        n_examples: Whose degrees of freedom it has.
        level: Of the test.
    """
    n_tables, n_tasks, k, n_seeds = scores.shape
    order = np.argsort(-scores.mean(axis=-1), axis=-1)
    ranked = np.take_along_axis(scores, order[..., None], axis=-2)
    leads = ranked[..., :1, :] - ranked[..., 1:, :]
    pooled = pool_seed_variance(ranked[..., None, :, :])
    variance = larger_variance(leads.var(axis=-1, ddof=1), pooled, n_seeds)
    uncertainty = Uncertainty(variance, n_seeds, np.asarray(example_variance), n_examples)
    p = uncertainty.worse_p(leads.mean(axis=-1))
    worse = holm(p.reshape(n_tables, -1)).reshape(n_tables, n_tasks, k - 1) <= level
    result = np.zeros((n_tables, n_tasks, k), dtype=bool)
    np.put_along_axis(result, order[..., 1:], worse, axis=-1)
    return result
