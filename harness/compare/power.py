"""How many seeds and test examples a comparison needs to show a difference."""

from functools import cache
from itertools import count
from math import ceil, sqrt

ALPHA = 0.05
"""Two-sided level of the tests."""
POWER = 0.8
"""Probability of finding a difference that is there."""
DISAGREEMENT = 0.1
"""Assumed share of examples on which two equally good methods differ in being right."""
SEED_DEVIATION = 0.01
"""Assumed standard deviation of one method's metric over seeds."""


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
    return ceil(normal_sample_size_one_tail(difference, POWER, ALPHA / 2, sqrt(discordant), deviation))


@cache
def seeds_needed(difference: float) -> int:
    """Seeds with which a paired t-test over seeds finds a difference of means.

    The difference of two methods on one seed has a standard deviation of sqrt(2) SEED_DEVIATION.
    """
    from statsmodels.stats.power import TTestPower

    effect = difference / (sqrt(2) * SEED_DEVIATION)
    # Only the tail of the difference: statsmodels returns NaN for the other one, which adds less than 1e-3.
    return next(n for n in count(2) if TTestPower().power(effect, n, ALPHA / 2, alternative="larger") >= POWER)
