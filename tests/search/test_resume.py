"""An interrupted study goes on as if nothing had happened."""

import signal
from pathlib import Path

import pytest

from harness.core.spec import RunSpec
from harness.search.plan import OnValidation
from harness.search.record import StudyRecord
from harness.search.spec import Pruner, Sampler, SearchSpec
from harness.search.study import search_cell
from harness.storage.record import Record
from tests.search.processes import search_until_write, start
from tests.search.stand_in import LORA, stand_in


def told(study: StudyRecord) -> list[dict[str, object]]:
    """All of a study's trials but their times."""
    return [trial.model_dump(exclude={"seconds"}) for trial in study.trials]


@pytest.mark.parametrize(("n_writes", "pruner"), [(17, "median"), (19, "hyperband"), (29, "hyperband")])
def test_study_killed_again_and_again_equals_undisturbed_one(tmp_path: Path, n_writes: int, pruner: Pruner) -> None:
    spec = SearchSpec(trials=14, sampler="tpe", pruner=pruner)
    undisturbed = search_cell(LORA, spec, tmp_path / "undisturbed", run_trial=stand_in)
    n_kills, process = -1, None
    while process is None or process.exitcode == -signal.SIGKILL:
        process = start(search_until_write, tmp_path / "killed", spec, n_writes)
        process.join()
        n_kills += 1
    assert process.exitcode == 0
    assert n_kills >= 5
    resumed = search_cell(LORA, spec, tmp_path / "killed", run_trial=stand_in)
    assert told(resumed) == told(undisturbed)
    assert resumed.best == undisturbed.best


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp", "cmaes", "grid"])
def test_every_sampler_proposes_the_same_after_an_interruption(tmp_path: Path, sampler: Sampler) -> None:
    spec = SearchSpec(trials=13, sampler=sampler, pruner="hyperband" if sampler == "random" else "none")
    undisturbed = search_cell(LORA, spec, tmp_path / "undisturbed", run_trial=stand_in)
    n_runs = 0

    def interrupted_twice(spec: RunSpec, on_validation: OnValidation) -> Record:
        nonlocal n_runs
        n_runs += 1

        if n_runs in (4, 12):
            raise KeyboardInterrupt
        return stand_in(spec, on_validation)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search_cell(LORA, spec, tmp_path / "interrupted", run_trial=interrupted_twice)
    resumed = search_cell(LORA, spec, tmp_path / "interrupted", run_trial=interrupted_twice)
    assert told(resumed) == told(undisturbed)


def test_finished_study_runs_nothing_and_a_larger_budget_continues_it(tmp_path: Path) -> None:
    small = search_cell(LORA, SearchSpec(trials=3), tmp_path, run_trial=stand_in)

    def never(spec: RunSpec, on_validation: OnValidation) -> Record:
        raise AssertionError("a finished study must not run anything")

    assert told(search_cell(LORA, SearchSpec(trials=3), tmp_path, run_trial=never)) == told(small)
    large = search_cell(LORA, SearchSpec(trials=5), tmp_path, run_trial=stand_in)
    assert large.name == small.name
    assert told(large)[:3] == told(small)
    assert told(large) == told(search_cell(LORA, SearchSpec(trials=5), tmp_path / "at once", run_trial=stand_in))
