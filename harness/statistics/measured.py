"""What probes measure, with its uncertainty over the examples that were looked at."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.probe import Measured
from harness.statistics.intervals import Floats, mean_interval, t_quantile
from harness.statistics.resampling import SEED

N_RESAMPLES = 200
"""Gives a standard error to 5 %."""


def mean_of(values: Sequence[float] | Floats, example_ids: Sequence[str]) -> Measured:
    """The mean of the examples' values with its 95 % t-interval; values that are all the same tell none."""
    interval = mean_interval(list(values))
    examples = dict(zip(example_ids, map(float, values), strict=True))
    return Measured(interval.mean, _around(interval.mean, interval.half_width or 0.0), examples)


def resampled(statistic: Callable[[NDArray[np.int64]], float], n_examples: int) -> Measured:
    """A statistic of all examples, with the interval of its bootstrap standard error, none where all resamples agree.

    That, and not the resamples' quantiles: errors of calibration are larger on resamples than on what they are drawn
    from, so the quantiles would lie above the value.

    Args:
        statistic: Its value on examples at some places, which may be named more than once.
        n_examples: How many there are.
    """
    rng = np.random.default_rng(SEED)
    value = statistic(np.arange(n_examples))
    drawn = [statistic(rng.integers(n_examples, size=n_examples)) for _ in range(N_RESAMPLES)]
    half = float(t_quantile(max(1, n_examples - 1))) * float(np.std(drawn, ddof=1))
    return Measured(value, _around(value, half))


def _around(value: float, half_width: float) -> tuple[float, float] | None:
    """The ends of an interval; None without a width, as of 20 right answers of 20: it would claim to be certain."""
    return (value - half_width, value + half_width) if half_width else None
