"""Statistics of seeds, of paired answers and of ranks. A Holm step and t quantiles come without scipy.stats or
statsmodels, which take a second each to import; the tests hold them against both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

LEVEL = 0.05
"""Of all tests, and one minus the coverage of all intervals."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` seeds, the standard deviation (ddof 1), and the half-width of its 95 % t-interval.

    ``sd`` and ``half_width`` are None for one seed, which says nothing about their spread. Of a cross-validation
    ``overlap`` is what runs that share training examples add to 1/n, as for ``difference.folds_difference``; else 0.
    """

    mean: float
    sd: float | None
    half_width: float | None
    n: int
    overlap: float = 0.0


def t_quantile(degrees: ArrayLike, level: ArrayLike = LEVEL) -> Floats:
    """The two-sided critical value of Student's t."""
    return -np.asarray(special.stdtrit(degrees, np.asarray(level) / 2))


def mean_interval(values: Sequence[float], overlap: float = 0.0) -> Interval:
    """Mean, standard deviation and 95 % t-interval, which assume seeds drawn at random and near-normal values.

    All are NaN or infinite where a value is, or where their sum is too large for a float.

    Args:
        values: One a run, shape (n,).
        overlap: As of an interval.
    """
    n = len(values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.mean(values))
        if n < 2:
            return Interval(mean, None, None, n, overlap)
        sd = float(np.std(values, ddof=1))
    if np.isfinite(mean) and min(values) == max(values):
        mean, sd = float(values[0]), 0.0  # else the rounding of their mean would be a spread
    return Interval(mean, sd, float(t_quantile(n - 1)) * sd * (1 / n + overlap) ** 0.5, n, overlap)


def holm(p_values: ArrayLike, n_tests: int | None = None) -> Floats:
    """Adjusted p-values that control the family-wise error whatever the dependence; families lie along the last axis.

    Args:
        p_values: Shape (..., N).
        n_tests: Size of the family, where it is more than N: the p-values that are not given count as 1.

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, axis=-1, kind="stable")
    n = p.shape[-1]
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(n_tests or n, 0, -1)[:n]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(1, np.maximum.accumulate(steps, axis=-1)), axis=-1)
    return adjusted


def seed_correlation(tables: Iterable[Floats]) -> float | None:
    """How alike the same seeds move the scores of different methods, over all tables; pairing helps if it is positive.

    The mean covariance of two methods over their mean variance; methods that no seed moves are left out.

    Args:
        tables: Each of shape (methods, seeds).

    Returns:
        None where no two methods vary.
    """
    shared = total = 0.0
    for scores in tables:
        moved = scores[np.ptp(scores, axis=1) > 0]
        if len(moved) > 1:
            covariances = np.cov(moved)
            variance = float(np.trace(covariances))
            shared += float(covariances.sum() - variance) / (len(moved) - 1)
            total += variance
    return shared / total if total else None


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """The exact two-sided p-value of McNemar's test on the same examples, bool, shape (N,)."""
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def majority_vote(predictions: NDArray[np.generic]) -> NDArray[np.generic]:
    """The most frequent answer of S seeds to each example, shape (S, N) → (N,).

    Of equally frequent answers the one that the earlier seed gave wins, so that no method is favoured.
    """
    answers, codes = np.unique(predictions, return_inverse=True)
    codes = codes.reshape(predictions.shape)
    votes = (codes[:, None, :] == codes[None, :, :]).sum(axis=1)  # (S, N): seeds that agree with this one
    winner = votes.argmax(axis=0)
    return np.asarray(answers[codes[winner, np.arange(codes.shape[1])]])


@dataclass(frozen=True)
class Ranking:
    """Average ranks of K methods over N settings; 1 is best."""

    average_ranks: Floats
    friedman_p: float
    critical_difference: float
    n_settings: int

    def cliques(self) -> list[tuple[int, ...]]:
        """Maximal groups of methods (indices, best first) whose ranks lie within the critical difference."""
        order = np.argsort(self.average_ranks, kind="stable")
        ranks = self.average_ranks[order]
        ends = np.searchsorted(ranks, ranks + self.critical_difference, side="right")
        starts = [i for i in range(len(ranks)) if ends[i] - i > 1 and (i == 0 or ends[i] > ends[i - 1])]
        return [tuple(int(index) for index in order[i : ends[i]]) for i in starts]


def rank_methods(scores: ArrayLike) -> Ranking:
    """Average ranks, Friedman's test and Nemenyi's critical difference at 5 %.

    Args:
        scores: Higher is better, shape (N settings, K methods), N >= 2 and K >= 3, without gaps.

    Source:
        Demšar 2006, Statistical comparisons of classifiers over multiple data sets, section 3.2.2,
        https://jmlr.org/papers/v7/demsar06a.html
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    table = np.asarray(scores, dtype=float)
    n, k = table.shape
    ranks = rankdata(-table, axis=1)
    q = studentized_range.ppf(1 - LEVEL, k, np.inf) / 2**0.5
    constant = bool((table == table[:, :1]).all())
    p = 1.0 if constant else float(friedmanchisquare(*table.T).pvalue)
    return Ranking(ranks.mean(axis=0), p, float(q * (k * (k + 1) / (6 * n)) ** 0.5), n)
