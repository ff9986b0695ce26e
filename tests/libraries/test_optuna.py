"""What the program asks of Optuna beyond its public names: each fails when Optuna changes it."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from harness.libraries.optuna import (
    NumberedQMCSampler,
    first_number,
    joint_tpe,
    judged,
    sets_a_state,
    stored,
    trial_id,
)
from harness.search.journal import Journal

ROOT = Path(__file__).parents[2]
PRIVATE = {"_trial_id", "_study_id", "_storage", "_search_space", "_find_sample_id"}


class Greedy(BasePruner):
    """Stores what it saw before it judges, as successive halving does."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        study._storage.set_trial_system_attr(trial._trial_id, "rung", trial.last_step)
        return len(study.get_trials()) == 2


@pytest.fixture
def storage() -> BaseStorage:
    """One in which ids are not numbers: a study was deleted from it."""
    made = InMemoryStorage()
    optuna.create_study(storage=made, study_name="old").ask()
    optuna.delete_study(study_name="old", storage=made)
    return made


def test_a_trial_is_found_in_its_storage_by_its_id(storage: BaseStorage) -> None:
    study = optuna.create_study(storage=storage)
    study.ask()
    trial = study.ask()
    trial.report(0.5, 3)
    [_, frozen] = study.get_trials()
    assert trial_id(trial) == trial_id(frozen) != trial.number
    assert storage.get_trial_number_from_id(trial_id(trial)) == trial.number
    assert stored(trial).intermediate_values == {3: 0.5}


def test_a_verdict_writes_nothing_and_says_what_the_pruner_would_have(storage: BaseStorage) -> None:
    study = optuna.create_study(storage=storage, pruner=Greedy())
    trials = [study.ask(), study.ask()]
    for trial in trials:
        trial.report(1.0, 7)
    assert judged(trials[0]) == (True, {"rung": 7})
    study.ask()
    assert judged(trials[0]) == (False, {"rung": 7})
    assert all(trial.system_attrs == {} for trial in study.get_trials())


def test_the_write_that_ends_a_trial_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bool] = []
    append = Journal.append_logs
    monkeypatch.setattr(
        Journal, "append_logs", lambda self, logs: (written.extend(map(sets_a_state, logs)), append(self, logs))[1]
    )
    study = optuna.create_study(storage=JournalStorage(Journal(tmp_path / "a.journal")))
    trial = study.ask()
    trial.set_user_attr("a", 1)
    assert not any(written)
    study.tell(trial, 1.0)
    assert written[-1]
    assert written.count(True) == 1


def test_a_retry_knows_the_first_trial() -> None:
    study = optuna.create_study()
    study.ask()
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        retry = RetryHeartbeatStaleTrialCallback()
    for trial in (study.get_trials()[0], None):
        retry(study, trial or study.get_trials()[1])
    assert [first_number(trial) for trial in study.get_trials()] == [0, 0, 0]
    study.ask({})
    assert study.get_trials()[1].state == TrialState.RUNNING


def proposals(make: "type[NumberedQMCSampler]", numbers: list[int]) -> list[float]:
    found = []
    for number in numbers:
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study = optuna.create_study(sampler=make(number, 1, RandomSampler(seed=1)))
        for _ in range(2):  # a sampler proposes jointly what an earlier trial had
            trial = study.ask()
            value = trial.suggest_float("x", 0, 1)
            study.tell(trial, 0.0)
        found.append(value)
    return found


def test_a_point_of_the_sequence_belongs_to_the_number() -> None:
    points = proposals(NumberedQMCSampler, [0, 1, 2, 1])
    assert points[1] == points[3]
    assert len(set(points)) == 3


def test_tpe_asks_the_space_that_it_is_given() -> None:
    class Counted(IntersectionSearchSpace):
        n_asked = 0

        def calculate(self, *arguments: Any) -> dict[str, BaseDistribution]:
            Counted.n_asked += 1
            return super().calculate(*arguments)

    study = optuna.create_study(sampler=joint_tpe(1, Counted(include_pruned=True)))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=12)
    assert Counted.n_asked > 0


def private_names(path: Path) -> Iterator[str]:
    """What a module names of Optuna that begins with an underscore."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("optuna."):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (part for part in parts if part.startswith("_"))
        elif isinstance(node, ast.Attribute) and node.attr in PRIVATE and not is_own(node.value):
            yield node.attr


def is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"


def test_only_the_adapter_names_what_is_private() -> None:
    adapter = ROOT / "harness" / "libraries" / "optuna.py"
    assert set(private_names(adapter)) >= {"_trial_id", "_storage", "_search_space"}
    for path in (ROOT / "harness").rglob("*.py"):
        if path != adapter:
            assert not list(private_names(path)), path
