"""Local workers beyond the contract: who does what, on how many cores, and what they tell."""

from contextlib import closing
from pathlib import Path

import pytest

from harness.core.errors import HarnessWarning
from harness.core.spec import RunSpec
from harness.executor import Job
from harness.executors._process import available_cores, cause_of_death
from harness.executors.local import Local
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.storage.record import Record
from tests.conftest import MakeSpec


def job(spec: RunSpec) -> Job:
    resolved = resolve(spec)
    return Job(identify(resolved), resolved.spec)


def test_workers_share_the_cores_go_on_with_their_bases_and_pass_warnings_on(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    kinds = ("encoder", "decoder")
    jobs = [job(make_spec(kind=kind, seed=seed, training={"max_steps": 1})) for kind in kinds for seed in range(2)]
    damaged = tmp_path / "runs" / jobs[0].id / "record.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    warned = pytest.warns(HarnessWarning, match=f"{jobs[0].id}/record.json is not a readable record")
    with warned, closing(Local(workers=2).run(jobs, tmp_path)) as running:
        events = list(running)
    started = [event.job for event in events if not event.has_ended]
    finished = {event.job.id: event.result for event in events if isinstance(event.result, Record)}
    assert sorted(each.id for each in started) == sorted(each.id for each in jobs)
    assert {each.id: finished[each.id].status for each in jobs} == {each.id: "ok" for each in jobs}
    assert {record.environment["threads"] for record in finished.values()} == {max(1, available_cores() // 2)}
    assert started[0].spec.base != started[1].spec.base
    first_done = next(event.job for event in events if event.has_ended)
    assert started[2].spec.base == first_done.spec.base


def test_a_death_has_a_cause() -> None:
    assert cause_of_death(-9) == "the worker process was killed by SIGKILL; out of memory is the usual cause"
    assert cause_of_death(-11) == "the worker process was killed by SIGSEGV"
    assert cause_of_death(1) == "the worker process ended with exit code 1"
