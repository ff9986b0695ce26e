"""A test that is looked at several times while its data grows.

Looking again and again at one level finds a difference that is not there more often than the level says. The level is
therefore spent: a share f(t) = t² of it may be gone when the share t of the data is there, and each look tests at what
f adds. All of it sums up to the whole level, so by the union bound all looks together err at most as often as it says,
however they depend on each other. Levels from the joint distribution of the looks, that of a Brownian motion, would be
higher, but hold for known variances only: with those estimated from three seeds, races simulated so with f(t) = t^1.5
erred in up to 6.2 % where 5 % are allowed.

How often it errs and what it finds: ``python -m tests.bench.racing``.

Source:
    Lan & DeMets 1983, Biometrika 70, 659 (spending); Kim & DeMets 1987, Biometrika 74, 149 (the powers of t);
    Maurer & Bretz 2013, Statistics in Biopharmaceutical Research 5, 311 (Holm's steps over looks).
"""

from collections.abc import Sequence

import numpy as np

from harness.statistics.intervals import LEVEL, Floats


def shares_of_level(looks: Sequence[int]) -> tuple[float, ...]:
    """What share of a level each look may spend; they sum up to 1.

    Args:
        looks: Seeds at each look, growing.
    """
    spent = (np.array([0, *looks]) / looks[-1]) ** 2
    return tuple(np.diff(spent).tolist())


def look_levels(looks: Sequence[int], level: float = LEVEL) -> tuple[float, ...]:
    """The level that each look tests at; arguments as for ``shares_of_level``."""
    return tuple(level * share for share in shares_of_level(looks))


def p_over_looks(p: Floats, looks: Sequence[int], look: int) -> Floats:
    """The p-value of a look as one of all looks: the whole level at which this look would just reject.

    It is compared with the whole level, and corrected by Holm's steps like any other.

    Args:
        p: Of the look alone, of any shape.
        looks: Seeds at each look, growing.
        look: Which one it is, from 0.
    """
    return np.minimum(1.0, np.asarray(p) / shares_of_level(looks)[look])
