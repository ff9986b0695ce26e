"""Simulated races: how often they err, what they find and how many runs they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from harness.statistics.difference import Uncertainty, larger_variance, pool_seed_variance
from harness.statistics.intervals import LEVEL, Floats, holm
from harness.statistics.looks import look_levels, p_over_looks
from harness.suites.power import DISAGREEMENT, SEED_DEVIATION, SHARED_DISAGREEMENT, draw_scores

SPREAD = 0.03
"""Assumed standard deviation of the true scores of methods, from which the runs of a race are foretold."""
N_RACES = 200
"""Simulated for a forecast."""
N_EXAMPLES = 1000
"""Assumed test examples."""


@dataclass(frozen=True)
class Courses:
    """What became of simulated races of K methods.

    Args:
        dropped: The look, from 1, at which a method was found worse, 0 for never; shape (tables, tasks, K).
        n_seeds: On how many seeds it was run; the same shape.
        is_equivalent: Whether what remained was found equivalent, bool, shape (tables, tasks).
    """

    dropped: NDArray[np.int64]
    n_seeds: NDArray[np.int64]
    is_equivalent: NDArray[np.bool_]


def race_scores(
    scores: Floats, looks: Sequence[int], example_variance: float, n_examples: int, margin: float
) -> Courses:
    """Race simulated methods by the rule of a suite's race.

    Args:
        scores: Shape (tables, tasks, K, seeds), with the seeds of the last look.
        looks: Seeds at each look.
        example_variance: As for ``power.draw_scores``; known.
        n_examples: Whose degrees of freedom it has.
        margin: Methods closer than this are equivalent.
    """
    shape = scores.shape[:-1]
    scores = scores.reshape(-1, *scores.shape[-2:])
    dropped, n_seeds = np.zeros((2, *scores.shape[:-1]), dtype=int)
    equivalent, running = np.zeros((2, len(scores)), dtype=bool)
    running[:] = True
    for look, (n, level) in enumerate(zip(looks, look_levels(looks), strict=True)):
        racing = running[:, None] & (dropped == 0)
        n_seeds[racing] = n
        p, reach = _test(scores[..., :n], racing, level, example_variance, n_examples)
        p = p_over_looks(p, looks, look)
        p[dropped > 0] = 0.0  # rejected before, as Holm's first steps
        worse = _holm_of_leads(p.reshape(shape)).reshape(p.shape)
        dropped[worse & racing] = look + 1
        racing &= dropped == 0
        close = np.where(racing, reach, 0.0).max(axis=-1) < margin
        equivalent |= running & close & (racing.sum(axis=-1) > 1)
        running &= (racing.sum(axis=-1) > 1) & ~equivalent
    return Courses(dropped.reshape(shape), n_seeds.reshape(shape), equivalent.reshape(shape[:-1]))


def _holm_of_leads(p: Floats) -> NDArray[np.bool_]:
    """Which methods Holm's steps over all tasks of a table reject; of each task the largest p is that of the best."""
    order = np.argsort(p, axis=-1, kind="stable")
    tested = np.take_along_axis(p, order, axis=-1)[..., :-1]
    rejected = holm(tested.reshape(len(p), -1)).reshape(tested.shape) <= LEVEL
    result = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(result, order[..., :-1], rejected, axis=-1)
    return result


def _test(
    scores: Floats, racing: NDArray[np.bool_], level: float, example_variance: float, n_examples: int
) -> tuple[Floats, Floats]:
    """One-sided p-values of the best's leads, and how far they may reach at the level; shape (races, K).

    The p-value of the best itself is 2, its reach 0; methods that don't race have 1 and infinity.
    """
    p, reach = np.ones(racing.shape), np.full(racing.shape, np.inf)
    n_racing = racing.sum(axis=-1)
    for k in range(2, racing.shape[-1] + 1):
        places = np.flatnonzero(n_racing == k)
        if not len(places):
            continue
        methods = np.flatnonzero(racing[places].ravel()).reshape(len(places), k) % racing.shape[-1]
        ours = np.take_along_axis(scores[places], methods[..., None], axis=1)
        best = ours.mean(axis=-1).argmax(axis=-1)[:, None]
        leads = np.take_along_axis(ours, best[..., None], axis=1) - ours
        variance = larger_variance(leads.var(axis=-1, ddof=1), pool_seed_variance(ours[:, None]), leads.shape[-1])
        uncertainty = Uncertainty(variance, leads.shape[-1], np.asarray(example_variance), n_examples)
        lead = leads.mean(axis=-1)
        found, far = uncertainty.worse_p(lead), lead + uncertainty.half_width(2 * level)
        np.put_along_axis(found, best, 2.0, axis=1)
        np.put_along_axis(far, best, 0.0, axis=1)
        p[places[:, None], methods], reach[places[:, None], methods] = found, far
    return p, reach


@cache
def chance_of_seeds(looks: tuple[int, ...], n_methods: int, margin: float) -> Floats:
    """The share of methods that a race runs on its first seed, its second, …, shape (seeds,), by simulation.

    True scores of methods are assumed normal with a standard deviation of ``SPREAD``.

    Args:
        looks: Seeds at each look.
        n_methods: Of the comparison, 2 or more.
        margin: Methods closer than this are equivalent.
    """
    rng = np.random.default_rng(0)
    variance = SHARED_DISAGREEMENT / N_EXAMPLES
    deviations = np.full(n_methods, sqrt(SEED_DEVIATION**2 + (DISAGREEMENT - SHARED_DISAGREEMENT) / (2 * N_EXAMPLES)))
    noise = draw_scores(rng, (N_RACES, 1), np.zeros(n_methods), looks[-1], variance, deviations)
    scores = noise + rng.normal(scale=SPREAD, size=(N_RACES, 1, n_methods, 1))
    n_seeds = race_scores(scores, looks, variance, N_EXAMPLES, margin).n_seeds
    return np.array([(n_seeds > number).mean() for number in range(looks[-1])])
