"""The executor contract: where jobs are done."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.plugins import Plugin, Registry
from harness.core.spec import RunSpec
from harness.search.record import StudyRecord
from harness.search.spec import SearchSpec
from harness.storage.record import Record


@dataclass(frozen=True)
class Job:
    """A run to make, or with ``search`` a study; ``id`` is the run_id or the study's name."""

    id: str
    spec: RunSpec
    search: SearchSpec | None = None


@dataclass(frozen=True)
class Event:
    """A job that was taken (no result yet) or has ended."""

    job: Job
    result: Record | StudyRecord | None = None


class Executor(Plugin):
    """Runs jobs; the fields of a subclass say with what."""

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job; yield an event as each starts and as each ends.

        A job that raises, or whose process dies, ends with a record of status ``failed`` and the reason; the others go
        on. Closing the generator, or an exception inside it such as KeyboardInterrupt, ends all work at once: what was
        running has no record and is run again next time.
        """
        raise NotImplementedError


EXECUTORS = Registry("executor", "harness.executors", Executor)
"""Every executor: a file in harness/executors/, or an entry point."""
