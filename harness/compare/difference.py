"""The paired difference of two methods when both seeds and test examples are random.

Which test, and why. A difference averaged over S seeds and N examples varies because other seeds would have trained
other models and because other examples would have been drawn. A t-test over seeds ignores the examples, McNemar or a
bootstrap over examples ignores the seeds, and a bootstrap over both knows S seeds only as well as S values tell
(with 3 seeds its nominal 5 % is 7 to 25 %). Here the variance is split as in the analysis of multi-reader studies:

    seeds      s²/S   from the sample variance s² of the per-seed differences, with S - 1 degrees of freedom
    examples   C      the covariance between seeds of the bootstrapped differences: what all seeds share because
                      they answer the same examples, with N - 1 degrees of freedom

and the interval adds both in quadrature, each with its own t quantile, which covers at least as often as stated
however the variance is divided. The price is power with few seeds: that is what few seeds can tell.

Source:
    Obuchowski & Rockette 1995 (the model, its covariance by resampling);
    Banerjee 1960, Sankhyā 22, Approximate confidence interval for linear functions of means of k populations when
    the population variances are not equal (the interval and its proof).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from harness.compare.predictions import Array
from harness.compare.statistics import LEVEL, Floats, t_quantile


@dataclass(frozen=True)
class Resampled:
    """A cell's scores by seed, and the same on resamples of the examples that all cells of a comparison share."""

    seeds: tuple[int, ...]
    scores: Floats  # (S,)
    replicates: Floats  # (resamples, S)
    n_examples: int

    def at(self, seeds: list[int]) -> "Resampled":
        """Only some of its seeds, in the order given."""
        columns = [self.seeds.index(seed) for seed in seeds]
        return Resampled(tuple(seeds), self.scores[columns], self.replicates[:, columns], self.n_examples)


@dataclass(frozen=True)
class Difference:
    """a - b: mean over the shared seeds, half-width of its 95 % interval, two-sided p-value."""

    mean: float
    half_width: float
    p_value: float
    n_seeds: int


def shared_seeds(a: tuple[int, ...], b: tuple[int, ...]) -> list[int]:
    """Seeds that both have, sorted."""
    return sorted(set(a) & set(b))


def difference(a: Resampled, b: Resampled) -> Difference:
    """The paired difference of two cells that answered the same examples.

    Raises:
        ValueError: fewer than two shared seeds, which leave the variance between seeds unknown.
    """
    seeds = shared_seeds(a.seeds, b.seeds)
    n_seeds, n_examples = len(seeds), a.n_examples
    if n_seeds < 2:
        raise ValueError("a difference needs two seeds that both methods have")
    a, b = a.at(seeds), b.at(seeds)
    by_seed = a.scores - b.scores
    replicates = (a.replicates - b.replicates) * (n_examples / max(1, n_examples - 1)) ** 0.5
    # Var(mean over seeds) = (own + (S - 1) common) / S: the variance of one seed, and the covariance of two.
    own = replicates.var(axis=0, ddof=1).mean()
    common = (n_seeds * replicates.mean(axis=1).var(ddof=1) - own) / (n_seeds - 1)
    # Sampling examples alone makes seeds differ by own - common: s² falls below it by luck only (always with two
    # seeds that happen to tie).
    seed_variance = max(float(by_seed.var(ddof=1)), own - common, 0.0) / n_seeds
    example_variance = max(common, 0.0)
    half_width = half_width_of(LEVEL, seed_variance, example_variance, n_seeds, n_examples)
    p = p_value_of(by_seed.mean(), seed_variance, example_variance, n_seeds, n_examples)
    return Difference(float(by_seed.mean()), float(half_width), float(p), n_seeds)


def half_width_of(
    level: ArrayLike, seed_variance: float, example_variance: float, n_seeds: int, n_examples: int
) -> Floats:
    """Half-width of the interval that covers with probability at least ``1 - level``."""
    seeds = t_quantile(n_seeds - 1, level) ** 2 * seed_variance
    return np.sqrt(seeds + t_quantile(max(1, n_examples - 1), level) ** 2 * example_variance)


def p_value_of(mean: float, seed_variance: float, example_variance: float, n_seeds: int, n_examples: int) -> float:
    """The level at which the interval around ``mean`` just touches 0, by bisection of its logarithm."""
    low, high = -100.0, 0.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        covers = half_width_of(np.exp(middle), seed_variance, example_variance, n_seeds, n_examples) >= abs(mean)
        low, high = (middle, high) if covers else (low, middle)
    return float(np.exp(high))


def seeds_only_p(a: Floats, b: Floats) -> float:
    """The p-value of a paired t-test over seeds, shape (S,): a lower bound of ``difference``'s, without predictions."""
    by_seed = a - b
    error = by_seed.std(ddof=1) / len(by_seed) ** 0.5
    if error == 0:
        return 0.0 if by_seed.any() else 1.0
    return float(2 * special.stdtr(len(by_seed) - 1, -abs(by_seed.mean()) / error))


def paired_bootstrap(a: Resampled, b: Resampled) -> tuple[float, float]:
    """The 95 % percentile interval of a - b when shared seeds and examples are both resampled.

    With fewer than about 10 seeds it is too narrow (see above): it shows the spread, it does not decide.
    """
    seeds = shared_seeds(a.seeds, b.seeds)
    replicates = a.at(seeds).replicates - b.at(seeds).replicates  # (resamples, S)
    drawn = draw_seeds(len(replicates), len(seeds))
    low, high = np.quantile(np.take_along_axis(replicates, drawn, axis=1).mean(axis=1), [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def draw_seeds(n_resamples: int, n_seeds: int) -> Array:
    """Indices of seeds drawn with replacement, shape (n_resamples, n_seeds); the same at every call."""
    return np.random.default_rng(1).integers(n_seeds, size=(n_resamples, n_seeds))
