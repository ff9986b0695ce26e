"""The order in which training examples are seen, and the passes that a step takes over them.

Batches are drawn at random. What is of similar length comes together only within a step, whose loss and gradient do not
depend on how it is cut into passes, so that little is padding and nothing is lost.

Batches that are themselves of similar length, from shuffled pools of sorted examples, train worse where learning is
slow and length tells the label. TREC, pooler and classifier of `minilm` on frozen features, 20 seeds, difference to
random batches in points of test accuracy and in 0.001 nats of test loss, ± standard error:

    steps    pools of 3 batches      8                      32
    25       +2.0 ± 0.8, +1 ± 2      +1.9 ± 1.4,  +1 ± 3    +1.3 ± 1.5,  +0 ± 3
    60       -0.8 ± 0.8, +4 ± 2      -3.4 ± 1.0,  +8 ± 2    -4.0 ± 1.2, +10 ± 1
    200                              -2.1 ± 0.5, +25 ± 3    -2.8 ± 0.5, +30 ± 3

On SST-2 the loss grows by 2 ± 1 at most. Methods as they ship, ten seeds, 2,000 sentences, pools of 32, points of test
accuracy (``python -m tests.bench.batches`` on an H200, bf16):

    steps    SST-2: LoRA, all weights      TREC: LoRA, all weights
    25       -2.0 ± 1.7    +0.8 ± 0.6      -0.6 ± 2.3    -0.3 ± 3.0
    60       -0.7 ± 0.3    -1.2 ± 0.6      -4.4 ± 2.8    -3.7 ± 3.1
    200      +0.4 ± 0.2    -0.1 ± 0.4      +0.4 ± 0.3    +0.1 ± 0.1

Nothing is left of it after 200 steps, but every one of the four means is lower after 60, and no pool size is safe.

Processor time per real token of random batches, in that of pools of 32 (LoRA or all weights of `minilm`): in passes of
similar length 1.3 (Rotten Tomatoes, 28 tokens) to 1.5 (SST-2, 13 tokens), in one pass 1.8 to 2.4.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from harness.core.seeds import derive
from harness.core.spec import RunSpec
from harness.formulation import Row


def epoch_batches(n_examples: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of the examples of each batch of one epoch; each example once, the last batch may be smaller."""
    order = np.random.default_rng(derive(seed, f"order/{epoch}")).permutation(n_examples).tolist()
    return [order[start : start + batch_size] for start in range(0, n_examples, batch_size)]


def batches(n_examples: int, batch_size: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Epoch number (from 1) and indices of a batch, without end."""
    epoch = 0
    while True:
        epoch += 1
        for batch in epoch_batches(n_examples, batch_size, seed, epoch):
            yield epoch, batch


Draw = Callable[[Sequence[Row], Sequence[int]], Sequence[int]]
"""The places of a step's rows among those of the epoch, instead of the places given."""


def step_rows(
    rows: Sequence[Row],
    spec: RunSpec,
    of_epoch: Callable[[int], Sequence[Row]] | None = None,
    draw: Draw = lambda _rows, places: places,
) -> Iterator[list[Row]]:
    """The rows of each optimizer step, without end: as many batches as are accumulated.

    Args:
        rows: The rows of every epoch, unless ``of_epoch`` makes as many others, asked once for each.
        spec: Says how large a batch is.
        of_epoch: Takes the number of an epoch, from 1.
        draw: Asked at every step; what it chooses itself is of the epoch in which the step ends.
    """
    order = batches(len(rows), spec.training.batch_size, spec.seed)
    given = lru_cache(maxsize=1)(of_epoch or (lambda _epoch: rows))
    while True:
        taken = [next(order) for _ in range(spec.training.accumulation_steps)]
        usual = [given(epoch)[index] for epoch, batch in taken for index in batch]
        of_last, places = given(taken[-1][0]), [index for _, batch in taken for index in batch]
        drawn = draw(of_last, places)
        yield usual if drawn is places else [of_last[index] for index in drawn]


def passes(rows: Sequence[Row], batch_size: int, max_padding: float) -> list[list[Row]]:
    """The rows of a step in passes of similar length, each of at most so many rows and tokens of padding."""
    parts = by_size([row.length for row in rows], batch_size, max_padding)
    return [[rows[index] for index in part] for part in parts]


def planned_steps(spec: RunSpec, n_examples: int) -> int:
    """Optimizer steps of a whole run: ``max_steps``, or ``ceil(ceil(n / batch) · epochs / accumulation)``."""
    training = spec.training
    n_batches = -(-n_examples // training.batch_size) * training.epochs
    return training.max_steps or -(-n_batches // training.accumulation_steps)


def by_size(sizes: Sequence[int], batch_size: int, max_padding: float = math.inf) -> Iterator[list[int]]:
    """Indices of rows in batches of similar size, largest first, so that memory runs out at once or never.

    Args:
        sizes: Tokens of each row.
        batch_size: Rows of a batch at most.
        max_padding: A batch ends before it holds more padding than this, in tokens.
    """
    batch: list[int] = []
    padding = 0
    for index in sorted(range(len(sizes)), key=lambda index: (-sizes[index], index)):
        padding += sizes[batch[0]] - sizes[index] if batch else 0
        if len(batch) == batch_size or padding > max_padding:
            yield batch
            batch, padding = [], 0
        batch.append(index)
    if batch:
        yield batch
