"""A metric on bootstrap resamples of the examples."""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metric import Metric
from harness.statistics.intervals import Floats
from harness.storage.predictions import Answers, Array

N_RESAMPLES = 1000
"""Gives a variance a relative standard error of 4.5 %."""

SEED = 0
"""Fixed: the same records must give the same table."""

BLOCK = 8_000_000
"""Entries of a block of resample counts; float32, so 32 MB."""


def bootstrap_scores(metric: Metric, runs: Sequence[Answers], n_resamples: int = N_RESAMPLES) -> Floats:
    """A metric of several runs on resamples of their common examples.

    Every run sees the same resamples, so differences between columns are paired.

    Args:
        metric: Where it is a mean over examples or has a formula, that is used; else it is computed on each resample.
        runs: Answers to the same N examples in the same order.

    Returns:
        Shape (n_resamples, runs): exactly what computing the metric on each resample gives.
    """
    values = [metric.per_example(run) for run in runs]
    # BLAS threads spin while they wait for the next product, and slow down the reading of files in between by a third.
    with _libraries().limit(limits=1, user_api="blas"):
        blocks = [
            np.stack([metric.resampled(run, counts) for run in runs], axis=1)
            if any(one is None for one in values)
            else _means(np.array(values), counts)
            for counts in resample_counts(len(runs[0].targets), n_resamples)
        ]
    return np.concatenate(blocks)


def _means(values: Array, counts: NDArray[np.float32]) -> Floats:
    """Means of values (runs, N) on resamples, shape (B, runs); single precision counts what is right exactly."""
    if values.dtype.kind != "b":
        return np.asarray(counts.astype(float) @ values.T / values.shape[1])
    return (counts @ values.T.astype(np.float32)).astype(float) / values.shape[1]


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def resample_counts(n_examples: int, n_resamples: int) -> Iterator[NDArray[np.float32]]:
    """How often each resample drew each example, in blocks of shape (resamples, N)."""
    step = max(1, BLOCK // n_examples)
    for start in range(0, n_resamples, step):
        yield _draw_block(n_examples, start, min(step, n_resamples - start))


@lru_cache(maxsize=1)  # the settings of a table often have the same number of test examples
def _draw_block(n_examples: int, start: int, size: int) -> NDArray[np.float32]:
    rng = np.random.default_rng((SEED, start))
    drawn = rng.integers(n_examples, size=(size, n_examples)) + n_examples * np.arange(size)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=size * n_examples)
    return counts.reshape(size, n_examples).astype(np.float32)
