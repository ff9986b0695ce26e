"""Pareto fronts and the probability of being on them."""

import numpy as np
import pytest

from harness.core.errors import SpecError
from harness.metric import make_metric
from harness.probe import find_quantities, quantities
from harness.statistics.difference import Resampled
from harness.statistics.pareto import Candidate, is_dominated, pareto_membership
from harness.statistics.resampling import bootstrap_scores
from harness.storage.predictions import Answers
from harness.storage.record import Record
from tests.synthetic import make_record


def candidate(correct: np.ndarray, **costs: list[float]) -> Candidate:
    targets = np.ones(correct.shape[1], dtype=int)
    replicates = bootstrap_scores(make_metric("accuracy"), [Answers.of(targets, run) for run in correct.astype(int)])
    quality = Resampled(tuple(range(len(correct))), correct.mean(axis=1), replicates, correct.shape[1])
    return Candidate(quality, {name: np.array(values) for name, values in costs.items()})


def answers(share: float, n_seeds: int = 3, n: int = 200) -> np.ndarray:
    return np.random.default_rng(0).random((n_seeds, n)) < share


def test_domination_equals_its_definition() -> None:
    points = np.random.default_rng(0).integers(4, size=(50, 6, 3)).astype(float)
    for cloud, found in zip(points, is_dominated(points), strict=True):
        for i in range(6):
            worse = any((cloud[j] <= cloud[i]).all() and (cloud[j] < cloud[i]).any() for j in range(6) if j != i)
            assert found[i] == worse


def test_equal_points_do_not_dominate_each_other() -> None:
    assert not is_dominated(np.ones((2, 2))).any()


def test_clear_cases_are_certain() -> None:
    good = candidate(answers(0.95), trainable_params=[100.0] * 3)
    cheap = candidate(answers(0.6), trainable_params=[10.0] * 3)
    bad = candidate(answers(0.5), trainable_params=[1000.0] * 3)
    assert pareto_membership([good, cheap, bad], ("quality", "trainable_params")).tolist() == [1, 1, 0]


def test_equal_quality_at_higher_cost_is_on_the_front_half_of_the_time() -> None:
    """The dearer one is on it exactly when its resampled quality is higher: by a plain loop, seeds × examples."""
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 4, 300)) < 0.8
    found = pareto_membership(
        [candidate(a, stored_bytes=[1.0] * 4), candidate(b, stored_bytes=[2.0] * 4)], ("quality", "stored_bytes")
    )
    better = []
    for _ in range(4000):
        drawn = np.ix_(rng.integers(4, size=4), rng.integers(300, size=300))
        better.append(b[drawn].mean() > a[drawn].mean())
    assert found[0] == 1
    assert found[1] == pytest.approx(np.mean(better), abs=0.05)


def test_costs_vary_with_the_resampled_seeds() -> None:
    quality = answers(0.9)
    found = pareto_membership(
        [candidate(quality, train_seconds=[1.0, 1.0, 9.0]), candidate(quality, train_seconds=[2.0, 2.0, 2.0])],
        ("quality", "train_seconds"),
    )
    # The first is dearer than 2 on average if its slow seed is drawn at least once: 1 - (2/3)**3.
    assert found == pytest.approx([(2 / 3) ** 3, 1 - (2 / 3) ** 3], abs=0.05)


@pytest.mark.parametrize("n", [2, 3])
def test_any_two_or_three_objectives_do(n: int) -> None:
    """Every quantity beside its neighbours, whatever they are."""
    costs = {name: [1.0, 2.0, 3.0] for name in quantities()}
    names = ["quality", *costs]
    for start in range(len(names) - n + 1):
        objectives = names[start : start + n]
        assert pareto_membership(
            [candidate(answers(0.9), **costs), candidate(answers(0.9), **costs)], objectives
        ).shape == (2,)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (("quality",), "two or three"),
        (("quality", "speed"), "unknown objective 'speed'"),
        (("quality",) * 4, "two or three"),
    ],
)
def test_wrong_objectives_are_named(objectives: tuple[str, ...], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        pareto_membership([candidate(answers(0.9))] * 2, objectives)


def test_a_seed_in_common_is_needed() -> None:
    one = candidate(answers(0.9), stored_bytes=[1.0] * 3)
    other = Candidate(Resampled((7,), one.quality.scores[:1], one.quality.replicates[:, :1], 200), one.costs)
    with pytest.raises(SpecError, match="seed"):
        pareto_membership([one, other], ("quality", "stored_bytes"))


def costs_of(run: Record, *names: str) -> list[float | None]:
    return [quantity.of(run) for quantity in find_quantities(names)]


def test_costs_come_from_the_record() -> None:
    run = Record.model_validate(make_record("lora"))
    assert costs_of(run, "trainable_params", "stored_bytes") == [300_000, 1_200_000]
    untrained = make_record("zero_shot", cost={"peak_memory_bytes": {"train": 0, "eval": 7}})
    assert costs_of(Record.model_validate(untrained), "peak_memory_bytes", "train_seconds") == [7, 0]
