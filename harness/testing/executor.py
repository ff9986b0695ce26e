"""What every executor must satisfy.

class TestMine(ExecutorContract):
    plugin = "mine"
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from harness.core.spec import RunSpec, parse_spec
from harness.executor import Event, Executor, Job, make_executor
from harness.method import METHODS
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.search.spec import SearchSpec
from harness.storage.record import Record
from harness.storage.store import Store

KEPT = ("resource_tracker", "forkserver")
"""Processes that Python starts once and keeps for the next ones."""


@dataclass(frozen=True)
class Ended:
    """What came of the jobs."""

    jobs: dict[str, Job]
    events: Sequence[Event]
    results: Path

    def ends(self, name: str) -> list[Event]:
        """The events with which a job ended."""
        return [event for event in self.events if event.job == self.jobs[name] and event.has_ended]

    def record(self, name: str) -> Record | None:
        """What a run left behind."""
        return Store(self.results).find(self.jobs[name].id)


class ExecutorContract:
    """The jobs are runs and a study that end before anything is trained, each in its own way."""

    plugin: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}
    has_processes: ClassVar[bool] = True
    """Whether jobs are done in processes that this one starts, which may be killed."""

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Executor:
        """The executor under test."""
        return make_executor(cls.plugin, cls.settings)

    @pytest.fixture(scope="class")
    @classmethod
    def jobs(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
        """What ends how → a job."""
        return make_jobs(tmp_path_factory.mktemp("inputs"))

    @pytest.fixture(scope="class")
    @classmethod
    def outcome(cls, executor: Executor, jobs: dict[str, Job], tmp_path_factory: pytest.TempPathFactory) -> Ended:
        """All jobs done once; the process of the first one is killed as it begins."""
        results = tmp_path_factory.mktemp("results")
        before, events = children(), []
        with closing(executor.run(list(jobs.values()), results)) as running:
            for event in running:
                if cls.has_processes and event.job == jobs["killed"] and not event.has_ended:
                    kill(started_since(before))
                events.append(event)
        assert not started_since(before), "processes are left when all jobs are done"
        return Ended(jobs, events, results)

    def test_declares_itself(self, executor: Executor) -> None:
        """It says where it comes from, and does at least one job at a time."""
        assert executor.source
        assert executor.n_at_once >= 1
        assert type(executor).__doc__

    def test_every_job_begins_and_ends_once(self, outcome: Ended, executor: Executor) -> None:
        """In this order; never more at the same time than it says."""
        running: list[Job] = []
        for event in outcome.events:
            if event.has_ended:
                running.remove(event.job)
            else:
                running.append(event.job)
            assert len(running) <= executor.n_at_once
        begun = [event.job.id for event in outcome.events if not event.has_ended]
        assert sorted(begun) == sorted(job.id for job in outcome.jobs.values())
        assert not running

    def test_results_are_the_stored_records(self, outcome: Ended) -> None:
        """With the label that the suite gave the method."""
        [end] = outcome.ends("skipped")
        assert isinstance(end.result, Record)
        assert end.result == outcome.record("skipped")
        assert (end.result.status, end.result.label) == ("skipped", "skipped")

    def test_a_job_that_raises_fails_alone(self, outcome: Ended) -> None:
        """A run with a record that says why, a study with its problem."""
        record = outcome.record("broken")
        assert record
        assert (record.status, record.label) == ("failed", "broken")
        assert "absent" in str(record.reason)
        [end] = outcome.ends("study")
        assert end.problem
        assert "absent" in end.problem

    def test_a_killed_process_loses_its_job_only(self, outcome: Ended) -> None:
        """The record of its run says so."""
        if not self.has_processes:
            pytest.skip("it starts no process")
        record = outcome.record("killed")
        assert record
        assert (record.status, record.label) == ("failed", "killed")
        assert record.reason
        assert outcome.record("skipped")

    def test_closing_ends_all_work_and_leaves_no_record(
        self, executor: Executor, jobs: dict[str, Job], tmp_path: Path
    ) -> None:
        """So that the same jobs are done again."""
        before = children()
        with closing(executor.run([jobs["skipped"], jobs["broken"]], tmp_path)) as running:
            assert not next(running).has_ended
        assert not started_since(before)
        assert not list(Store(tmp_path).records())

    def test_nothing_to_do_is_done_at_once(self, executor: Executor, tmp_path: Path) -> None:
        """No job, no event."""
        assert list(executor.run([], tmp_path)) == []


def make_jobs(folder: Path) -> dict[str, Job]:
    """Runs that are skipped if they are not killed before (killed, skipped), a run and a study that raise.

    A method that trains can't answer by filling in a mask, so its run ends when its examples are read.
    """
    base, task = write_base(folder / "base"), write_task(folder / "task")
    method = next(name for name in METHODS.names() if METHODS.find(name).trains)
    spec = parse_spec(
        {"base": {"name": str(base)}, "task": {"name": task}, "method": {"name": method}, "formulation": "mask"}
    )
    jobs = {name: skipped(spec, seed, name) for seed, name in enumerate(("killed", "skipped"))}
    absent = spec.updated(base={"name": str(folder / "absent")})
    jobs["broken"] = Job("0" * 12, absent, label="broken")
    jobs["study"] = Job("study", absent, SearchSpec(trials=1), label="study")
    return jobs


def skipped(spec: RunSpec, seed: int, label: str) -> Job:
    """A run that says why it can't be."""
    resolved = resolve(spec.updated(seed=seed))
    assert resolved.skip_reason()
    return Job(identify(resolved), resolved.spec, label=label)


def write_base(folder: Path) -> Path:
    """The configuration of a tiny encoder, and a file in place of its weights, which nothing reads."""
    folder.mkdir(parents=True)
    sizes = {"vocab_size": 8, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = {"model_type": "bert", "architectures": ["BertModel"], "intermediate_size": 4, **sizes}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def write_task(folder: Path) -> str:
    """A file of examples, and what is said about it."""
    folder.mkdir(parents=True)
    rows = [f"text {number},{'ab'[number % 2]}" for number in range(40)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return f"{folder / 'rows.csv'}?text=text&target=label"


def children() -> set[int]:
    """The processes that this one has started, and theirs, but for those that Python keeps."""
    return {process.pid for process in _alive(psutil.Process().children(recursive=True))}


def _alive(processes: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE and not any(k in " ".join(process.cmdline()) for k in KEPT):
                yield process


def started_since(before: set[int]) -> set[int]:
    """The processes that are new."""
    return children() - before


def kill(pids: set[int]) -> None:
    """End them at once."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
