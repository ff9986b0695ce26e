"""What the correlations share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics._counts import Floats, ratio
from harness.storage.predictions import Array


def is_constant(values: Sequence[float] | Array) -> bool:
    """Whether all values are the same."""
    return bool(np.ptp(np.asarray(values, float)) == 0)


def all_are(targets: Sequence[Any]) -> str | None:
    """What is wrong with targets to correlate with: they are all the same."""
    return f"all targets are {targets[0]}" if is_constant(targets) else None


def not_to_correlate(targets: Sequence[float]) -> str | None:
    """What is wrong with numbers to correlate with."""
    if not np.isfinite(np.asarray(targets, float)).all():
        return "a target is not a finite number"
    return all_are(targets)


def correlation(x: Array, y: Array, counts: NDArray[np.float32]) -> Floats:
    """Pearson's correlation on resamples, shape (B,); ``x`` and ``y`` have shape (N,) or (B, N); 0 where one is
    constant."""
    weights = counts.astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    dx = x - (weights * x).sum(axis=1, keepdims=True)
    dy = y - (weights * y).sum(axis=1, keepdims=True)
    variance = (weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1)
    return ratio((weights * dx * dy).sum(axis=1), np.sqrt(variance))


def resample_ranks(values: Array, counts: NDArray[np.float32]) -> Floats:
    """The mid-rank that each example's copies get in each resample, shape (B, N)."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    copies = np.add.reduceat(counts[:, order].astype(float), starts, axis=1)  # (B, groups)
    mid_rank = copies.cumsum(axis=1) - (copies - 1) / 2
    return np.asarray(mid_rank[:, group])
