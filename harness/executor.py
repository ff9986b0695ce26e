"""The executor contract: where the jobs of a suite are done.

A job is a run or a study. An executor does nothing but choose the process and the moment: ``attempt`` does a job where
it is called and says how it ended, ``lost`` says it for a process that died before it could. In the calling process,
one after another:

    class Serial(Executor):
        source: ClassVar[str] = "none"

        def run(self, jobs, results):
            for job in jobs:
                yield Event(job)
                yield attempt(job, results)
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, StorageError
from harness.core.plugins import Plugin, Registry
from harness.core.spec import RunSpec
from harness.libraries.trackers import Tracker
from harness.runs.resolve import resolve
from harness.search.record import StudyRecord
from harness.search.spec import SearchSpec
from harness.storage.record import RETRIED, Record
from harness.storage.store import Store


@dataclass(frozen=True)
class Job:
    """A run to make, or with ``search`` a study; plain data, which another process or machine can be sent.

    Args:
        id: The run_id, or the study's name.
        spec: The run, or the cell that is searched.
        search: How it is searched.
        label: What the suite calls the method; stored in the run's record.
        checkpoint_every: Optimizer steps after which a run's state is kept.
        tracker: Told of a run.
    """

    id: str
    spec: RunSpec
    search: SearchSpec | None = None
    label: str = ""
    checkpoint_every: int | None = None
    tracker: Tracker | None = None


@dataclass(frozen=True)
class Event:
    """A job that was begun, or has ended: with a result, or as a study that failed with the problem."""

    job: Job
    result: Record | StudyRecord | None = None
    problem: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job is no longer being done."""
        return self.result is not None or self.problem is not None


class Executor(Plugin):
    """Does jobs; the fields of a subclass say with what."""

    @property
    def n_at_once(self) -> int:
        """How many jobs it does at the same time, from which the expected time of a suite is told."""
        return 1

    def submission(self, results: Path) -> str:
        """What a job is handed to a scheduler with, for `suite --dry-run`; empty where there is none.

        Args:
            results: Folder of runs and studies.

        Raises:
            SpecError: a library is missing.
        """
        return ""

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job once, in any order; yield an event as each begins and as each ends.

        A job that raises, or whose process dies, ends as ``attempt`` and ``lost`` say; the others go on. Closing the
        generator, or an exception inside it such as KeyboardInterrupt, ends all work at once: what was running has no
        record, and is done again by the next command.

        Args:
            jobs: None of them is finished in the results.
            results: Folder of runs and studies, which the jobs write.

        Raises:
            StorageError: the disk is full, so that no job could store its result.
        """
        raise NotImplementedError


def attempt(job: Job, results: Path) -> Event:
    """Do a job in this process, whatever comes of it; imports torch.

    Raises:
        StorageError: the disk is full. It ends all jobs: a failure on record would not be tried again.
        SpecError: the results folder can't be written.
    """
    try:
        return Event(job, _do(job, results))
    except StorageError:
        raise
    except HarnessError as error:
        return lost(job, results, str(error))
    except Exception as error:
        return lost(job, results, f"{type(error).__name__}: {error}")


def _do(job: Job, results: Path) -> Record | StudyRecord:
    if job.search:
        from harness.search.study import search_cell

        return search_cell(job.spec, job.search, results, checkpoint_every=job.checkpoint_every)
    resolved = resolve(job.spec)  # what is wrong with it is told before torch is imported

    from harness.runs.run import run

    return run(resolved, results, label=job.label, checkpoint_every=job.checkpoint_every, tracker=job.tracker)


def lost(job: Job, results: Path, reason: str) -> Event:
    """The end of a job that has no result; of a run, a record of status ``failed`` is written.

    A record that another process has finished meanwhile stands.

    Raises:
        StorageError: the disk is full.
        SpecError: the results folder can't be written.
    """
    if job.search:
        return Event(job, problem=reason)
    store = Store(results)
    record = store.find(job.id)
    if record is None or record.status in RETRIED:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = Record(
            run_id=job.id,
            status="failed",
            reason=reason,
            spec=job.spec,
            label=job.label,
            started_at=now,
            finished_at=now,
        )
        with store.writing(job.id, job.spec) as folder:
            record = store.finish(folder, record)
    return Event(job, record)


EXECUTORS = Registry("executor", "harness.executors", Executor)
"""Every executor: a file in harness/executors/, or an entry point."""


def make_executor(name: str, settings: Mapping[str, Any] | None = None) -> Executor:
    """The executor with its settings.

    Raises:
        SpecError: an unknown executor, or every field that is wrong.
    """
    return EXECUTORS.make(name, settings, prefix=f"executor.{name}")
