"""The expected best of k trials, against brute force."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from harness.figures.budget import budget_panels, expected_best
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from tests.search.stand_in import LORA, stand_in


@pytest.mark.parametrize("values", [[0.5], [0.7, 0.2], [0.6, 0.9, 0.6, 0.1], [0.3, 0.8, 0.81, 0.5, 0.5]])
def test_equals_all_subsets(values: list[float]) -> None:
    mean, deviation = expected_best(values)
    for k in range(1, len(values) + 1):
        best = [max(draw) for draw in combinations(values, k)]
        assert mean[k - 1] == pytest.approx(np.mean(best), abs=1e-12)
        assert deviation[k - 1] == pytest.approx(np.std(best), abs=1e-7)


def test_rises_from_the_mean_towards_the_best() -> None:
    values = np.random.default_rng(0).uniform(size=30).tolist()
    mean, _ = expected_best(values)
    assert mean[0] == pytest.approx(np.mean(values))
    assert (np.diff(mean) > 0).all()
    assert mean[-1] == pytest.approx(max(values))


def test_it_has_no_bias() -> None:
    """Mean over many searches of 12 uniform trials: the best of k uniform values is k / (k + 1) on average."""
    rng = np.random.default_rng(0)
    means = np.mean([expected_best(rng.uniform(size=12).tolist())[0] for _ in range(4000)], axis=0)
    k = np.arange(1, 13)
    assert means == pytest.approx(k / (k + 1), abs=0.005)


def test_only_finished_trials_are_drawn_and_the_others_counted(tmp_path: Path) -> None:
    search = SearchSpec(trials=12, sampler="random", pruner="median")
    study = search_cell(LORA, search, tmp_path, run_trial=stand_in)
    finished = [trial.values[0] for trial in study.trials if trial.status == "complete"]
    assert len(finished) < 12
    [panel] = budget_panels([study])
    [curve] = panel.parts
    assert curve.label == f"lora ({len(finished)} of 12 trials)"
    assert curve.mean == pytest.approx(100 * expected_best(finished)[0])
