"""The paired difference of two methods when both seeds and test examples are random.

Which test, and why. A difference averaged over S seeds and N examples varies because other seeds would have trained
other models and because other examples would have been drawn. A t-test over seeds ignores the examples, McNemar or a
bootstrap over examples ignores the seeds, and a bootstrap over both knows S seeds only as well as S values tell. Here
the variance is split as in the analysis of multi-reader studies, v = s²/S + C:

    seeds      s²/S   from the variance s² of the per-seed differences
    examples   C      the covariance between seeds of the bootstrapped differences: what all seeds share because
                      they answer the same examples, with N - 1 degrees of freedom

With few seeds S - 1 degrees of freedom say little, so s² is the larger of the pair's own and of one pooled over all
methods of the comparison as in a randomized block design. The pooled one's degrees of freedom are reduced by Box's
epsilon where methods differ in noise, and again by how far the pair's own exceeds it, down to the pair's S - 1: an
erratic method is judged by itself.

The degrees of freedom of v are Hillis's where s² has enough of its own. Where it has few (two or three seeds, a noisy
method) his approximation is too sure, with up to 12 % errors where 5 % are allowed: an s² that is small by luck then
looks like one that matters little. There each part keeps its own t quantile and they add in quadrature, which errs at
most as often as stated however v is divided.

How often it errs and what it finds: ``python -m tests.bench.verdicts``.

Source:
    Obuchowski & Rockette 1995 (the model, its covariance by resampling);
    Hillis 2007, Statistics in Medicine 26, 596 (degrees of freedom);
    Banerjee 1960, Sankhyā 22, Approximate confidence interval for linear functions of means of k populations when
    the population variances are not equal (the interval for few degrees of freedom and its proof);
    Box 1954, Annals of Mathematical Statistics 25, Some theorems on quadratic forms, II (epsilon).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.statistics.intervals import LEVEL, Floats, t_quantile
from harness.storage.predictions import Array

FEW_DEGREES = 8
"""With fewer degrees of freedom of the variance of seeds Hillis's approximation is not used."""


@dataclass(frozen=True)
class Resampled:
    """A cell's scores by seed, and the same on resamples of the examples that all cells of a comparison share."""

    seeds: tuple[int, ...]
    scores: Floats  # (S,)
    replicates: Floats  # (resamples, S)
    n_examples: int

    def times(self, sign: int) -> "Resampled":
        """With every score times a sign."""
        return Resampled(self.seeds, sign * self.scores, sign * self.replicates, self.n_examples)

    def at(self, seeds: list[int]) -> "Resampled":
        """Only some of its seeds, in the order given."""
        columns = [self.seeds.index(seed) for seed in seeds]
        return Resampled(tuple(seeds), self.scores[columns], self.replicates[:, columns], self.n_examples)


@dataclass(frozen=True)
class SeedVariance:
    """Estimates of the variance of one seed's difference, and their degrees of freedom, of any one shape."""

    value: Floats
    degrees: Floats


@dataclass(frozen=True)
class Uncertainty:
    """How uncertain differences averaged over S seeds and N examples are; all methods work on arrays of differences.

    Args:
        seeds: Of one seed's difference.
        n_seeds: S.
        examples: The variance that all seeds share.
        n_examples: N.
    """

    seeds: SeedVariance
    n_seeds: int
    examples: Floats
    n_examples: int

    def half_width(self, level: Floats | float = LEVEL) -> Floats:
        """Half-width of the interval that covers with probability ``1 - level``."""
        return np.where(self._is_known, self._hillis(level), self._banerjee(level))

    def p_value(self, difference: Floats | float) -> Floats:
        """The two-sided p-value: the level at which the interval around the difference just touches 0."""
        size = np.abs(difference)
        error = np.sqrt(self._of_seeds + self.examples)
        ratio = np.divide(size, error, out=np.where(size > 0, np.inf, 0.0), where=error > 0)
        known = 2 * special.stdtr(self._degrees, -ratio)
        if self._is_known.all():
            return np.asarray(known)
        low, high = np.full(size.shape, -100.0), np.zeros(size.shape)  # of its logarithm
        while (high - low > 1e-4).any():
            middle = (low + high) / 2
            is_inside = self._banerjee(np.exp(middle)) >= size
            low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
        return np.where(self._is_known, known, np.exp(high))

    @property
    def _of_seeds(self) -> Floats:
        return self.seeds.value / self.n_seeds

    @property
    def _is_known(self) -> NDArray[np.bool_]:
        """Whether the variance of seeds is known well enough for Hillis's degrees of freedom."""
        return np.asarray(self.seeds.degrees) >= FEW_DEGREES

    @property
    def _degrees(self) -> Floats:
        """Hillis's, with the degrees of freedom that the examples have."""
        spread = self._of_seeds**2 / self.seeds.degrees + self.examples**2 / max(1, self.n_examples - 1)
        return np.divide((self._of_seeds + self.examples) ** 2, spread, out=np.ones_like(spread), where=spread > 0)

    def _hillis(self, level: Floats | float) -> Floats:
        return np.asarray(t_quantile(self._degrees, level) * np.sqrt(self._of_seeds + self.examples))

    def _banerjee(self, level: Floats | float) -> Floats:
        of_seeds = t_quantile(self.seeds.degrees, level) ** 2 * self._of_seeds
        of_examples = t_quantile(max(1, self.n_examples - 1), level) ** 2 * self.examples
        return np.sqrt(of_seeds + of_examples)

    def worse_p(self, lead: Floats | float) -> Floats:
        """The one-sided p-value of the claim that a lead this large is a lead at all."""
        p = self.p_value(lead) / 2
        return np.where(np.asarray(lead) > 0, p, 1 - p)


@dataclass(frozen=True)
class Difference:
    """a - b: mean over the shared seeds, and how uncertain it is."""

    mean: float
    uncertainty: Uncertainty

    @property
    def half_width(self) -> float:
        """Of the 95 % interval."""
        return float(self.uncertainty.half_width())

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return float(self.uncertainty.p_value(self.mean))


def shared_seeds(a: Iterable[int], b: Iterable[int]) -> list[int]:
    """Seeds that both have, sorted."""
    return sorted(set(a) & set(b))


def pool_seed_variance(scores: Floats) -> SeedVariance | None:
    """The variance of a difference of two methods, pooled over K methods that have the same S seeds.

    Args:
        scores: Shape (..., K, S).

    Returns:
        Of shape (...); None for fewer than three methods, where nothing is gained.
    """
    k, n_seeds = scores.shape[-2:]
    if k < 3:
        return None
    means = scores.mean(axis=-1, keepdims=True)
    residuals = scores - means - scores.mean(axis=-2, keepdims=True) + means.mean(axis=-2, keepdims=True)
    by_method = (residuals**2).sum(axis=-1)
    total, squares = by_method.sum(axis=-1), k * (by_method**2).sum(axis=-1)
    epsilon = np.divide(total**2, squares, out=np.ones_like(total), where=squares > 0)
    return SeedVariance(2 * total / ((k - 1) * (n_seeds - 1)), (n_seeds - 1) * np.maximum(1.0, epsilon * (k - 1)))


def larger_variance(own: Floats, pooled: SeedVariance | None, n_seeds: int) -> SeedVariance:
    """The larger of the own and the pooled variance; pooled degrees of freedom fall as the own exceeds the pooled.

    That they fall by the ratio of the two was found by simulation: it takes away up to a half of the errors about a
    method ten times as noisy as the others, and costs up to four points of power among equally noisy ones.
    """
    if pooled is None:
        return SeedVariance(np.asarray(own), np.full(np.shape(own), n_seeds - 1.0))
    value = np.maximum(own, pooled.value)
    ratio = np.divide(pooled.value, value, out=np.ones_like(value), where=value > 0)
    return SeedVariance(value, np.maximum(n_seeds - 1.0, pooled.degrees * ratio))


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
    # Var(mean over seeds) = (one + (S - 1) common) / S: the variance of one seed, and the covariance of two.
    one = replicates.var(axis=0, ddof=1).mean()
    common = (n_seeds * replicates.mean(axis=1).var(ddof=1) - one) / (n_seeds - 1)
    # Sampling examples alone makes seeds differ by one - common: s² falls below it by luck only (always with two
    # seeds that happen to tie).
    own = np.maximum(by_seed.var(ddof=1), one - common)
    variance = larger_variance(own, pooled, n_seeds)
    return Difference(float(by_seed.mean()), Uncertainty(variance, n_seeds, np.maximum(common, 0.0), n_examples))


def folds_difference(by_run: Floats, overlap: float) -> Difference:
    """The paired difference of two cells over the folds of a cross-validation, whose training examples overlap.

    The corrected resampled t-test: the variance of the mean of J differences is (1/J + n_test / n_train) s², not s²/J,
    because runs that learn from many of the same examples err alike. How often either errs on equal methods:
    ``python -m tests.bench.folds``.

    Args:
        by_run: The difference at each fold of each seed, shape (J,), J > 1.
        overlap: n_test / n_train; of k folds 1 / (k - 1).

    Source:
        Nadeau and Bengio 2003, Machine Learning 52, Inference for the generalization error, section 4,
        https://doi.org/10.1023/A:1024068626366; repeated folds: Bouckaert and Frank 2004, section 3.2,
        https://doi.org/10.1007/978-3-540-24775-3_3
    """
    n = len(by_run)
    variance = SeedVariance(np.asarray(by_run.var(ddof=1) * (1 + n * overlap)), np.asarray(n - 1.0))
    return Difference(float(by_run.mean()), Uncertainty(variance, n, np.zeros(()), 1))


def least_p(by_seed: Floats, pooled: SeedVariance | None = None) -> float:
    """A lower bound of a lead's one-sided p-value, without predictions: examples add nothing, and s² is exact.

    Args:
        by_seed: The lead at each seed, shape (S,); without a lead on average the value is one half or more.
        pooled: As for ``difference``.
    """
    error = (larger_variance(by_seed.var(ddof=1), pooled, len(by_seed)).value / len(by_seed)) ** 0.5
    lead = float(by_seed.mean())
    return float(special.ndtr(-lead / error)) if error else float(lead <= 0)


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
