"""The paired difference of two methods when both seeds and test examples are random.

Which test, and why. A difference averaged over S seeds and N examples varies because other seeds would have trained
other models and because other examples would have been drawn. A t-test over seeds ignores the examples, McNemar or a
bootstrap over examples ignores the seeds, and a bootstrap over both knows S seeds only as well as S values tell. Here
the variance is split as in the analysis of multi-reader studies:

    seeds      s²/S   from the sample variance s² of the per-seed differences
    examples   C      the covariance between seeds of the bootstrapped differences: what all seeds share because
                      they answer the same examples, with N - 1 degrees of freedom

and the interval adds both in quadrature, each with its own t quantile, which covers at least as often as stated
however the variance is divided.

With few seeds S - 1 degrees of freedom say little, so s² is estimated twice: from the pair's own differences, and from
all methods of the comparison together as in a randomized block design, never below the pair's own, with its degrees of
freedom reduced by Box's epsilon where methods differ in noise. The surer answer counts, its p-value doubled for having
had two tries: the first wins with many seeds or one erratic method, the second with three seeds.

Simulated family-wise error of equal methods, Holm over all pairs, nominal 5 %, each table with new seeds and examples:
2 to 3 % for 3 to 7 methods of equal noise; up to 5 % with one of 7 methods ten times as noisy as the others; above only
with 2 seeds, or a tenfold outlier among 12 methods or more (up to 10 %).

Source:
    Obuchowski & Rockette 1995 (the model, its covariance by resampling);
    Banerjee 1960, Sankhyā 22, Approximate confidence interval for linear functions of means of k populations when
    the population variances are not equal (the interval and its proof);
    Box 1954, Annals of Mathematical Statistics 25, Some theorems on quadratic forms, II (epsilon).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.compare.predictions import Array
from harness.compare.statistics import LEVEL, Floats


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


@dataclass(frozen=True)
class SeedVariance:
    """An estimate of the variance of one seed's difference, and its degrees of freedom."""

    value: float
    degrees: float


def shared_seeds(a: Iterable[int], b: Iterable[int]) -> list[int]:
    """Seeds that both have, sorted."""
    return sorted(set(a) & set(b))


def pool_seed_variance(scores: Floats) -> SeedVariance | None:
    """The variance of a difference of two methods, pooled over K methods that have the same S seeds.

    Args:
        scores: Shape (K, S).

    Returns:
        None where nothing is gained: fewer than three methods, or none that varies.
    """
    k, n_seeds = scores.shape
    residuals = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    by_method = (residuals**2).sum(axis=1)
    if k < 3 or by_method.sum() < 1e-12:
        return None
    epsilon = by_method.sum() ** 2 / (k * (by_method**2).sum())
    degrees = (n_seeds - 1) * max(1.0, epsilon * (k - 1))
    return SeedVariance(float(2 * by_method.sum() / ((k - 1) * (n_seeds - 1))), float(degrees))


def _seed_variances(by_seed: Floats, pooled: SeedVariance | None, floor: float = 0.0) -> list[SeedVariance]:
    """The pair's own estimate, and the pooled one where there is one."""
    own = max(float(by_seed.var(ddof=1)), floor)
    estimates = [SeedVariance(own, len(by_seed) - 1)]
    return estimates + ([SeedVariance(max(own, pooled.value), pooled.degrees)] if pooled else [])


def difference(a: Resampled, b: Resampled, pooled: SeedVariance | None = None) -> Difference:
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
    variances = _seed_variances(by_seed, pooled, floor=own - common)
    examples = max(float(common), 0.0)
    mean = float(by_seed.mean())
    widths = [half_width_of(LEVEL / len(variances), v, n_seeds, examples, n_examples) for v in variances]
    return Difference(mean, min(widths), p_value_of(mean, variances, n_seeds, examples, n_examples), n_seeds)


def half_width_of(level: float, seeds: SeedVariance, n_seeds: int, example_variance: float, n_examples: int) -> float:
    """Half-width of the interval around a mean over seeds that covers with probability ``1 - level`` or more."""
    of_seeds = special.stdtrit(seeds.degrees, level / 2) ** 2 * seeds.value / n_seeds
    of_examples = special.stdtrit(max(1, n_examples - 1), level / 2) ** 2 * example_variance
    return math.sqrt(of_seeds + of_examples)


def p_value_of(
    mean: float, variances: Sequence[SeedVariance], n_seeds: int, example_variance: float, n_examples: int
) -> float:
    """The level at which the narrowest interval around ``mean`` just touches 0, by bisection of its logarithm."""
    low, high = -100.0, 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        level = math.exp(middle) / len(variances)
        width = min(half_width_of(level, v, n_seeds, example_variance, n_examples) for v in variances)
        low, high = (middle, high) if width >= abs(mean) else (low, middle)
    return math.exp(high)


def seeds_only_p(by_seed: Floats, pooled: SeedVariance | None = None) -> float:
    """The p-value if examples added nothing: a lower bound of ``difference``'s, without predictions.

    Args:
        by_seed: Differences, shape (S,).
        pooled: As for ``difference``.
    """
    variances = _seed_variances(by_seed, pooled)
    error = [(v.value / len(by_seed)) ** 0.5 for v in variances]
    if not error[0]:
        return 0.0 if by_seed.any() else 1.0
    p_values = [2 * special.stdtr(v.degrees, -abs(by_seed.mean()) / e) for v, e in zip(variances, error, strict=True)]
    return float(min(1.0, len(p_values) * min(p_values)))


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
