"""The pool: every job ends with a record, whatever happens to its worker."""

import multiprocessing
from contextlib import closing
from pathlib import Path

from harness.core.spec import RunSpec
from harness.executor import Event, Job
from harness.executors._process import available_cores
from harness.executors.local import Local
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.storage.store import Store
from tests.conftest import MakeSpec


def job(spec: RunSpec) -> Job:
    resolved = resolve(spec)
    return Job(identify(resolved), resolved.spec)


def test_a_killed_worker_and_a_run_that_raises_lose_their_job_only(make_spec: MakeSpec, tmp_path: Path) -> None:
    first, killed, last = (job(make_spec(seed=seed, training={"max_steps": 2})) for seed in range(3))
    base = first.spec.base.model_copy(update={"name": str(tmp_path / "absent")})
    missing = Job("0123456789ab", first.spec.model_copy(update={"base": base}))
    with closing(Local(workers=1).run([first, killed, missing, last], tmp_path)) as events:
        for event in events:
            if event == Event(killed):
                [worker] = multiprocessing.active_children()
                worker.kill()
    assert not multiprocessing.active_children()
    records = [Store(tmp_path).find(each.id) for each in (first, killed, missing, last)]
    assert [record and record.status for record in records] == ["ok", "failed", "failed", "ok"]
    assert [record and record.environment.get("threads") for record in records] == [
        available_cores(),
        None,
        None,
        available_cores(),
    ]
    assert "SIGKILL" in str(records[1])
    assert "absent" in str(records[2] and records[2].reason)


def test_workers_share_the_cores_and_each_goes_on_with_its_base(make_spec: MakeSpec, tmp_path: Path) -> None:
    kinds = ("encoder", "decoder")
    jobs = [job(make_spec(kind=kind, seed=seed, training={"max_steps": 1})) for kind in kinds for seed in range(2)]
    with closing(Local(workers=2).run(jobs, tmp_path)) as pool:
        events = list(pool)
    started = [event.job for event in events if event.result is None]
    finished = [event for event in events if event.result]
    assert sorted(each.id for each in started) == sorted(each.id for each in jobs)
    assert {event.job.id: event.result.status for event in finished if event.result} == {each.id: "ok" for each in jobs}
    threads = {event.result.environment["threads"] for event in finished if event.result}
    assert threads == {max(1, available_cores() // 2)}
    assert started[0].spec.base != started[1].spec.base
    assert started[2].spec.base == finished[0].job.spec.base
