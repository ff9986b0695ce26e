"""The order in which training examples are seen: seeded, the same for every method, similar lengths together."""

from collections.abc import Iterator, Sequence

import numpy as np

from harness.core.seeds import derive
from harness.core.spec import RunSpec

POOL = 32
"""Batches drawn at random into one pool, within which examples are sorted by length.

Large enough that little padding is left. The batches are shuffled again: fed in the order of their lengths they cost
accuracy, prefix tuning's most.
"""


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of the examples of each batch of one epoch; each example once, the last batch may be smaller."""
    generator = np.random.default_rng(derive(seed, f"order/{epoch}"))
    order = generator.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size].tolist(), key=lambda index: lengths[index])
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[place] for place in generator.permutation(len(batches))]


def batches(lengths: Sequence[int], batch_size: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Epoch number (from 1) and indices of a batch, without end."""
    epoch = 0
    while True:
        epoch += 1
        for batch in epoch_batches(lengths, batch_size, seed, epoch):
            yield epoch, batch


def planned_steps(spec: RunSpec, n_examples: int) -> int:
    """Optimizer steps of a whole run: ``max_steps``, or ``ceil(ceil(n / batch) · epochs / accumulation)``."""
    training = spec.training
    n_batches = -(-n_examples // training.batch_size) * training.epochs
    return training.max_steps or -(-n_batches // training.accumulation_steps)
