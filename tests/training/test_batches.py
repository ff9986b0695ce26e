"""The order of training examples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.core.spec import parse_spec
from harness.training.batches import POOL, batches, epoch_batches, planned_steps

LENGTHS = np.random.default_rng(0).integers(4, 60, size=2000).tolist()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 9), st.integers(1, 5))
def test_each_example_once_an_epoch(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    made = epoch_batches(lengths, batch_size, seed, epoch)
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    assert len(made) == -(-len(lengths) // batch_size)
    assert max(map(len, made)) <= batch_size


def test_order_depends_on_seed_and_epoch_only() -> None:
    assert epoch_batches(LENGTHS, 32, 0, 1) == epoch_batches(LENGTHS, 32, 0, 1)
    assert epoch_batches(LENGTHS, 32, 0, 1) != epoch_batches(LENGTHS, 32, 1, 1)
    assert epoch_batches(LENGTHS, 32, 0, 1) != epoch_batches(LENGTHS, 32, 0, 2)


def test_little_padding_and_no_runs_of_lengths() -> None:
    made = epoch_batches(LENGTHS, 32, 0, 1)
    padded = sum(max(LENGTHS[i] for i in batch) * len(batch) for batch in made)
    random_batches = np.random.default_rng(1).permutation(LENGTHS)[: 62 * 32].reshape(-1, 32)
    assert padded / sum(LENGTHS) < 1.1 < random_batches.max(1).sum() * 32 / random_batches.sum()
    means = [float(np.mean([LENGTHS[i] for i in batch])) for batch in made]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3
    assert POOL >= 8


def test_epochs_follow_each_other() -> None:
    order = batches(LENGTHS[:40], 16, 0)
    seen = [next(order) for _ in range(6)]
    assert [epoch for epoch, _ in seen] == [1, 1, 1, 2, 2, 2]
    assert [batch for _, batch in seen[3:]] == epoch_batches(LENGTHS[:40], 16, 0, 2)


def test_planned_steps() -> None:
    def steps(**training: int) -> int:
        return planned_steps(parse_spec({"task": {"name": "t"}, "method": {"name": "m"}, "training": training}), 100)

    assert steps(batch_size=32, epochs=3) == 12
    assert steps(batch_size=32, epochs=3, accumulation_steps=5) == 3
    assert steps(batch_size=32, max_steps=7) == 7
