"""A test that is looked at several times while its data grows.

Looking again and again at one level finds a difference that is not there more often than the level says. The level is
therefore spent: a share f(t) of it may be gone when the share t of the data is there. What a look may test at follows
from the joint distribution of the looks, that of a Brownian motion at the times t:

- all looks together then err as often as the level says, if a statistic is a mean of as many seeds as there are;
- what seeds share because they answer the same examples makes the looks more alike, so they err less;
- never less than the union bound allows without any distribution, by which each look tests at what f adds.

That small samples and estimated variances keep to it is shown by simulation: ``python -m tests.bench.racing``.

Source:
    Lan & DeMets 1983, Biometrika 70, 659 (spending); Kim & DeMets 1987, Biometrika 74, 149 (the powers of t);
    Armitage, McPherson & Rowe 1969 (the recursion); Maurer & Bretz 2013, Statistics in Biopharmaceutical Research 5,
    311 (Holm's steps over looks).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import special

from harness.statistics.intervals import LEVEL, Floats

EXPONENT = 1.5
"""f(t) = t ** 1.5. With 1 the last look has too little left, with 2 the first ones stop too little."""

LEVELS = np.geomspace(1e-12, 0.5, 40)
"""At which the levels of looks are computed; between them their logarithms are interpolated."""

N_POINTS = 100
"""Of the grid on which the paths that have not been stopped are counted."""


def look_levels(looks: Sequence[int], level: float = LEVEL) -> tuple[float, ...]:
    """The one-sided level that each look tests at so that all together err at most as often as ``level``.

    Args:
        looks: Seeds at each look, growing.
        level: Of all looks together.
    """
    tables = _levels(tuple(looks))
    return tuple(float(np.exp(np.interp(np.log(level), np.log(LEVELS), np.log(of_look)))) for of_look in tables)


def p_over_looks(p: Floats, looks: Sequence[int], look: int) -> Floats:
    """The one-sided p-value of a look as one of all looks: the overall level at which this look would just reject.

    It is compared with the whole level, and corrected by Holm's steps like any other.

    Args:
        p: Of the look alone, of any shape.
        looks: Seeds at each look, growing.
        look: Which one it is, from 0.
    """
    alone = _levels(tuple(looks))[look]
    inside = np.interp(np.log(np.clip(p, alone[0], alone[-1])), np.log(alone), np.log(LEVELS))
    beyond = np.asarray(p) / np.clip(p, alone[0], alone[-1])  # the ratio stays what it is at the ends of the table
    return np.minimum(1.0, np.exp(inside) * beyond)


@cache
def _levels(looks: tuple[int, ...]) -> Floats:
    """The level of each look for each of ``LEVELS``, shape (looks, levels)."""
    times = np.array(looks) / looks[-1]
    spent = np.diff(times**EXPONENT, prepend=0.0)[:, None] * LEVELS
    # Paths that the last look did not stop: points where they are, and how much of the probability is at each.
    places, weights = np.zeros((len(LEVELS), 1)), np.ones((len(LEVELS), 1))
    levels, before = [], 0.0
    for time, to_spend in zip(times, spent, strict=True):
        step = np.sqrt(time - before)
        bounds = _bound(places, weights, step, to_spend)
        levels.append(special.ndtr(-bounds / np.sqrt(time)))
        places, weights = _survivors(places, weights, step, bounds, float(np.sqrt(time)))
        before = time
    return np.array(levels)


def _bound(places: Floats, weights: Floats, step: float, to_spend: Floats) -> Floats:
    """Where a path must be stopped so that this look stops as many as it may, by bisection, shape (levels,)."""
    low, high = np.full(len(to_spend), -10.0), np.full(len(to_spend), 20.0)
    for _ in range(50):
        middle = (low + high) / 2
        stopped = (weights * special.ndtr((places - middle[:, None]) / step)).sum(axis=1)
        low, high = np.where(stopped > to_spend, middle, low), np.where(stopped > to_spend, high, middle)
    return high


def _survivors(places: Floats, weights: Floats, step: float, bounds: Floats, deviation: float) -> tuple[Floats, Floats]:
    """The paths that are not stopped, on Gauss-Legendre points below the bounds."""
    nodes, sizes = np.polynomial.legendre.leggauss(N_POINTS)
    low = -8 * deviation
    half = (bounds[:, None] - low) / 2
    grid = low + half * (nodes + 1)
    away = (grid[:, :, None] - places[:, None, :]) / step
    density = (weights[:, None, :] * np.exp(-(away**2) / 2)).sum(axis=-1) / (step * np.sqrt(2 * np.pi))
    return grid, density * half * sizes
