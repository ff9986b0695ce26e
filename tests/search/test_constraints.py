"""Searches within bounds: the best keeps them, and the name of a study tells them."""

from pathlib import Path

import pytest

from harness.core.errors import SpecError
from harness.search.plan import make_plan
from harness.search.record import read_study
from harness.search.spec import parse_search
from harness.search.study import search_cell
from tests.search.stand_in import LORA, stand_in

RANK_16 = "trainable_params<=8000"
"""The stand-in trains 1,000 parameters for each of the rank, and is best at rank 16."""


def test_the_best_keeps_its_bound(tmp_path: Path) -> None:
    free = search_cell(LORA, parse_search({"trials": 40, "pruner": "none"}), tmp_path, run_trial=stand_in)
    bound = parse_search({"trials": 40, "pruner": "none", "constraints": [RANK_16]})
    held = search_cell(LORA, bound, tmp_path, run_trial=stand_in)
    ranks = {trial.number: int(trial.params["method.rank"]) for trial in held.trials}
    assert free.trial(free.best[0]).params["method.rank"] == 16
    assert ranks[held.best[0]] <= 8
    feasible = [trial for trial in held.trials if ranks[trial.number] <= 8]
    assert max(trial.values[0] for trial in feasible) == held.trial(held.best[0]).values[0]
    assert {trial.status for trial in held.trials} == {"complete", "infeasible"}
    assert all((trial.status == "infeasible") == (ranks[trial.number] > 8) for trial in held.trials)
    assert read_study(tmp_path / "studies" / f"{held.name}.json") == held
    assert free.name != held.name


def test_a_bound_that_nothing_keeps_leaves_no_best(tmp_path: Path) -> None:
    search = parse_search({"trials": 3, "constraints": ["trainable_params<=1"], "pruner": "none"})
    study = search_cell(LORA, search, tmp_path, run_trial=stand_in)
    assert study.best == []
    assert len(study.completed) == 3


def test_a_bound_says_how_far_outside_a_value_is() -> None:
    upper, lower = parse_search({"trials": 2, "constraints": [RANK_16, "train_seconds>=0.5"]}).bounds
    assert (upper.excess(9000), upper.excess(8000), upper.excess(7000)) == (1000, 0, -1000)
    assert lower.excess(0.1) == pytest.approx(0.4)
    assert lower.excess(0.6) < 0


def test_a_bound_asks_for_its_probe_and_an_old_study_keeps_its_name() -> None:
    search = {"trials": 3, "constraints": [" general_loss_increase_nats <= 1e-2"]}
    plan = make_plan(LORA, parse_search(search))
    assert [probe.name for probe in plan.spec.probes] == ["forgetting"]
    assert plan.search.constraints == ("general_loss_increase_nats<=0.01",)
    assert "subject to general_loss_increase_nats<=0.01" in plan.search.means


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("train_seconds<3", "QUANTITY<=NUMBER"),
        ("train_seconds<=many", "QUANTITY<=NUMBER"),
        ("train_second<=3", "did you mean 'train_seconds'"),
    ],
)
def test_a_wrong_bound_is_told(bound: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_search({"trials": 3, "constraints": [bound]})
