"""What a suite plans and what has become of it."""

from pathlib import Path

import pytest

from harness.cli.suite import _executor
from harness.core.errors import HarnessError, SpecError
from harness.executor import Event, Job
from harness.executors.local import Local
from harness.storage.record import Record, Status
from harness.storage.store import Store
from harness.suites.outcome import find_outcome
from harness.suites.plan import Costs, Expected, plan
from harness.suites.suite import expand, parse_suite
from harness.suites.tune import all_found
from tests.conftest import MakeSpec


def record(job: Job, status: Status, seconds: float = 0.0, training: float = 0.0) -> Record:
    made = {"run_id": job.id, "status": status, "reason": None if status == "ok" else f"it is {status}"}
    cost = {"total_seconds": seconds, "train_seconds": training}
    return Record.model_validate({**made, "spec": job.spec, "cost": cost, "started_at": "", "finished_at": ""})


def test_cells_to_run_are_jobs_with_their_labels_and_the_outcome_is_theirs(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec()
    suite = parse_suite(
        {
            "bases": [spec.base.name],
            "tasks": ["sst2"],
            "seeds": [0, 1, 2],
            "task": {"path": spec.task.path},
            "methods": {"small": {"name": "lora", "rank": 2}, "large": {"name": "lora", "rank": 16}},
        }
    )
    store = Store(tmp_path)
    planned = plan(expand(suite), store)
    jobs = [job for cell in planned if (job := cell.job)]
    assert [job.label for job in jobs] == ["small"] * 3 + ["large"] * 3
    assert Costs([]).expected(planned) == Expected(0.0, 0, 6)
    for job, status in zip(jobs, ("ok", "diverged", "skipped"), strict=False):
        with store.writing(job.id, job.spec) as folder:
            store.finish(folder, record(job, status, 10.0))  # type: ignore[arg-type]
    planned = plan(expand(suite), store)
    assert [cell.job for cell in planned] == [None] * 3 + jobs[3:]
    assert Costs(store.records()).expected(planned, 2) == Expected(15.0, 3, 0)
    outcome = find_outcome(planned, store)
    assert outcome.results == (("ok", None), ("diverged", "it is diverged"), ("skipped", "it is skipped"))
    assert not outcome.lacks_results
    with store.writing(jobs[3].id, jobs[3].spec) as folder:
        store.finish(folder, record(jobs[3], "out_of_memory"))
    assert find_outcome(planned, store).lacks_results


def test_training_is_expected_to_cost_as_much_more_as_its_recipes_pass(make_spec: MakeSpec) -> None:
    """Plain training took 40 of 60 seconds; fgm passes 2.5 times, sam twice, together 5 times."""
    plain = record(Job("plain", make_spec()), "ok", 60.0, training=40.0)
    fgm, sam, both = (make_spec(recipes=[{"name": n} for n in names.split()]) for names in ("fgm", "sam", "fgm sam"))
    costs = Costs([plain])
    assert [costs.expected_seconds(spec) for spec in (make_spec(), fgm, sam, both)] == [60, 120, 100, 220]
    measured = Costs([plain, record(Job("fgm", fgm), "ok", 130.0, training=110.0)])
    assert [measured.expected_seconds(spec) for spec in (fgm, sam)] == [130, (100 + 20 + 2 * 44) / 2]
    unknown = record(Job("unknown", make_spec(recipes=[{"name": "nowhere"}])), "ok", 1.0)
    assert Costs([unknown]).expected_seconds(make_spec()) is None


def test_a_study_that_fails_is_told_when_the_others_have_ended(make_spec: MakeSpec) -> None:
    bad, good = Job("bad", make_spec()), Job("good", make_spec())
    events = [Event(bad), Event(bad, problem="out of luck"), Event(good)]
    seen = []
    with pytest.raises(HarnessError, match="the search bad failed: out of luck\nthe same command goes on"):
        seen.extend(all_found(events))
    assert list(all_found([Event(good)])) == [Event(good)]


def test_an_executor_takes_its_settings_from_the_command_line() -> None:
    assert _executor("local", None, []) == Local(workers=1)
    assert _executor("local", None, ["executor.local.workers=3"]) == Local(workers=3)
    assert _executor("local", 2, []) == Local(workers=2)


@pytest.mark.parametrize(
    ("name", "assignments", "message"),
    [
        ("locl", [], "unknown executor 'locl'.*did you mean 'local'"),
        ("local", ["executor.local.worker=2"], "executor.local.worker'.*did you mean 'workers'"),
        ("local", ["executor.local.workers=0"], "executor.local.workers: .*greater than or equal to 1"),
        ("local", ["executor.workers=2"], "such as executor.local.field=value; got 'executor.workers=2'"),
        ("local", ["training.epochs=2"], "set in the file"),
        ("local", ["executor.local"], "executor.local"),
    ],
)
def test_wrong_settings_of_an_executor_are_told(name: str, assignments: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        _executor(name, None, assignments)
