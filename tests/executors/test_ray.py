"""Ray beyond the contract: a node that dies in mid-suite, and a worker that dies too often."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
import pytest

from harness.core.errors import SpecError
from harness.core.spec import RunSpec
from harness.executor import Job, make_executor
from harness.executors.local import Local
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.storage.record import Record
from harness.storage.store import Store
from harness.testing.executor import kill
from tests.conftest import MakeSpec

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own warnings are no faults of ours


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that does no jobs, so that every node with jobs can die."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def job(spec: RunSpec) -> Job:
    resolved = resolve(spec)
    return Job(identify(resolved), resolved.spec)


def predictions(results: Path, job: Job) -> Any:
    table = pyarrow.parquet.read_table(Store(results).folder(job.id) / "predictions.parquet")
    return table.to_pydict()


def test_cells_of_a_node_that_dies_are_done_elsewhere_with_the_same_predictions(
    cluster: Any, make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    jobs = [job(make_spec(seed=seed, training={"epochs": 40})) for seed in range(4)]
    engine = make_executor("ray", {"address": cluster.address, "workers": 2})
    ends: Counter[str] = Counter()
    n_begun = 0
    with closing(engine.run(jobs, tmp_path / "ray")) as running:
        for event in running:
            n_begun += not event.has_ended
            if event.has_ended:
                assert isinstance(event.result, Record)
                assert event.result.status == "ok", event.result.reason
                ends[event.job.id] += 1
            if nodes and n_begun == 3:  # one is done, two are being done: one on each node
                while not all(list(tmp_path.glob(f"ray/runs/{each.id}/log.jsonl")) for each in jobs[:3]):
                    time.sleep(0.01)
                cluster.remove_node(nodes.pop(), allow_graceful=False)
                nodes = []
    assert ends == {each.id: 1 for each in jobs}
    assert not list((tmp_path / "ray" / "runs").glob("*.1"))
    # One thread, as a cell has there: over more threads sums are rounded otherwise on some processors.
    monkeypatch.setattr("harness.executors.local.available_cores", lambda: 1)
    list(Local(workers=1).run(jobs, tmp_path / "local"))
    for each in jobs:
        assert predictions(tmp_path / "ray", each) == predictions(tmp_path / "local", each)


def workers_of(job: Job) -> set[int]:
    """The processes that do a job: Ray names them after it."""
    found = psutil.Process().children(recursive=True)
    return {process.pid for process in found if f"ray::{job.id}" in " ".join(process.cmdline())}


@pytest.mark.parametrize("retries", [0, 1])
def test_a_job_whose_worker_dies_is_lost_when_it_may_not_be_done_again(
    retries: int, make_spec: MakeSpec, tmp_path: Path
) -> None:
    victim = job(make_spec(training={"epochs": 300 if retries == 0 else 40}))
    other = job(make_spec(seed=1, training={"max_steps": 1}))
    killed = False
    with closing(make_executor("ray", {"retries": retries}).run([victim, other], tmp_path)) as running:
        for event in running:
            if event.job == victim and not killed:
                while not list(tmp_path.glob(f"runs/{victim.id}/log.jsonl")):
                    time.sleep(0.01)
                kill(workers_of(victim))
                killed = True
    found = {each.id: Store(tmp_path).find(each.id) for each in (victim, other)}
    lost, done = found[victim.id], found[other.id]
    assert lost
    assert done
    assert done.status == "ok"
    assert lost.status == ("ok" if retries else "failed")
    assert retries or "died" in str(lost.reason)


def test_what_no_node_has_is_told(tmp_path: Path, make_spec: MakeSpec) -> None:
    engine = make_executor("ray", {"cpus": 10_000})
    with pytest.raises(SpecError, match="no node of the Ray cluster has 10000 cores and 0 GPUs"):
        list(engine.run([job(make_spec())], tmp_path))
