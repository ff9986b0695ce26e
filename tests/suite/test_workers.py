"""The pool: every job ends with a record, whatever happens to its worker."""

import multiprocessing
from collections import Counter
from contextlib import closing
from pathlib import Path

from harness import identity
from harness.spec import RunSpec
from harness.store import Store
from harness.workers import Job, available_cores, run_jobs
from tests.conftest import MakeSpec


def job(spec: RunSpec) -> Job:
    resolved = identity.resolve(spec)
    return Job(identity.identify(resolved), resolved)


def test_a_killed_worker_loses_its_job_only(make_spec: MakeSpec, tmp_path: Path) -> None:
    jobs = [job(make_spec(seed=seed, training={"max_steps": 2})) for seed in range(3)]
    statuses: dict[str, str] = {}
    with closing(run_jobs(jobs, tmp_path, n_workers=1)) as events:
        for event in events:
            if event.record:
                statuses[event.job.run_id] = event.record.status
            elif event.job == jobs[1]:
                [worker] = multiprocessing.active_children()
                worker.kill()
    assert [statuses[each.run_id] for each in jobs] == ["ok", "failed", "ok"]
    stored = Store(tmp_path).find(jobs[1].run_id)
    assert stored is not None
    assert "SIGKILL" in (stored.reason or "")
    first = Store(tmp_path).find(jobs[0].run_id)
    assert first is not None
    assert first.environment["threads"] == available_cores()
    assert not multiprocessing.active_children()


def test_workers_share_the_cores_and_each_keeps_its_base(make_spec: MakeSpec, tmp_path: Path) -> None:
    kinds = ("encoder", "decoder")
    jobs = [job(make_spec(kind=kind, seed=seed, training={"max_steps": 1})) for kind in kinds for seed in range(2)]
    running: set[str] = set()
    together: Counter[str] = Counter()
    with closing(run_jobs(jobs, tmp_path, n_workers=2)) as events:
        for event in events:
            if event.record is None:
                running.add(event.job.run_id)
                continue
            assert event.record.status == "ok", event.record.reason
            assert event.record.environment["threads"] == max(1, available_cores() // 2)
            running.remove(event.job.run_id)
            together[event.job.spec.base.name] += 1
    assert not running
    assert set(together.values()) == {2}


def test_a_run_that_cannot_be_had_is_a_failed_record_with_the_reason(make_spec: MakeSpec, tmp_path: Path) -> None:
    good = job(make_spec(training={"max_steps": 1}))
    missing = good.spec.model_copy(
        update={"base": good.spec.base.model_copy(update={"name": str(tmp_path / "absent")})}
    )
    with closing(run_jobs([Job("0123456789ab", missing), good], tmp_path, n_workers=1)) as events:
        records = [event.record for event in events if event.record]
    assert [record.status for record in records] == ["failed", "ok"]
    assert "absent" in (records[0].reason or "")
