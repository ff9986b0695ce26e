"""The order of training examples, and the passes over a step's."""

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.spec import parse_spec
from harness.formulation import Row
from harness.task import Example
from harness.training.batches import batches, epoch_batches, passes, planned_steps, step_rows

LENGTHS = np.random.default_rng(0).integers(4, 60, size=2000)
SPEC = parse_spec({"task": {"name": "t"}, "method": {"name": "m"}, "training": {"batch_size": 32}})


def rows(lengths: list[int]) -> list[Row]:
    return [Row(Example(str(n), {}, 0), ([0] * length,)) for n, length in enumerate(lengths)]


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 9), st.integers(1, 5))
def test_each_example_once_an_epoch(n_examples: int, batch_size: int, seed: int, epoch: int) -> None:
    made = epoch_batches(n_examples, batch_size, seed, epoch)
    assert sorted(index for batch in made for index in batch) == list(range(n_examples))
    assert {len(batch) for batch in made[:-1]} <= {batch_size}
    assert len(made) == -(-n_examples // batch_size)


def test_order_depends_on_seed_and_epoch_only() -> None:
    assert epoch_batches(2000, 32, 0, 1) == epoch_batches(2000, 32, 0, 1)
    assert epoch_batches(2000, 32, 0, 1) != epoch_batches(2000, 32, 1, 1)
    assert epoch_batches(2000, 32, 0, 1) != epoch_batches(2000, 32, 0, 2)


def test_batches_know_nothing_of_lengths() -> None:
    """Else a task whose lengths tell the label trains on batches of one label: means vary as those of random draws."""
    taken = islice(step_rows(rows(LENGTHS.tolist()), SPEC), 62)
    means = [np.mean([row.length for row in step]) for step in taken]
    assert np.std(means) == pytest.approx(LENGTHS.std() / 32**0.5, rel=0.25)
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


def test_epochs_follow_each_other() -> None:
    order = batches(40, 16, 0)
    seen = [next(order) for _ in range(6)]
    assert [epoch for epoch, _ in seen] == [1, 1, 1, 2, 2, 2]
    assert [batch for _, batch in seen[3:]] == epoch_batches(40, 16, 0, 2)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=100), st.integers(1, 40), st.integers(0, 200))
def test_passes_hold_each_row_once_and_little_padding(lengths: list[int], batch_size: int, max_padding: int) -> None:
    made = passes(rows(lengths), batch_size, max_padding)
    assert sorted(row.example.id for part in made for row in part) == sorted(map(str, range(len(lengths))))
    for part in made:
        assert len(part) <= batch_size
        longest = max(row.length for row in part)
        assert sum(longest - row.length for row in part) <= max_padding


def test_passes_save_most_of_the_padding() -> None:
    steps = list(islice(step_rows(rows(LENGTHS.tolist()), SPEC), 62))
    cut = [part for step in steps for part in passes(step, 32, 64)]

    def padded(parts: list[list[Row]]) -> int:
        return sum(len(part) * max(row.length for row in part) for part in parts)

    real = sum(row.length for step in steps for row in step)
    assert padded(cut) / real < 1.2 < 1.7 < padded(steps) / real
    assert len(cut) < 8 * len(steps)


def test_accumulated_batches_are_cut_together() -> None:
    accumulating = SPEC.updated(training={"batch_size": 8, "accumulation_steps": 4})
    step = next(step_rows(rows(LENGTHS.tolist()), accumulating))
    assert [row.example.id for row in step] == [row.example.id for row in next(step_rows(rows(LENGTHS.tolist()), SPEC))]
    lengths = [[row.length for row in part] for part in passes(step, 8, np.inf)]
    assert [len(part) for part in lengths] == [8, 8, 8, 8]
    assert all(min(longer) >= max(shorter) for longer, shorter in pairwise(lengths))


def test_planned_steps() -> None:
    def steps(**training: int) -> int:
        return planned_steps(parse_spec({"task": {"name": "t"}, "method": {"name": "m"}, "training": training}), 100)

    assert steps(batch_size=32, epochs=3) == 12
    assert steps(batch_size=32, epochs=3, accumulation_steps=5) == 3
    assert steps(batch_size=32, max_steps=7) == 7
