"""Every job in a process of its own, so that no run's peak of memory is that of an earlier one."""

from collections.abc import Generator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar

from harness.executor import Event, Executor, Job, attempt, lost

SPAWN = get_context("spawn")


class Fresh(Executor):
    """A fresh process for each job, one after another."""

    source: ClassVar[str] = "https://docs.python.org/3/library/multiprocessing.html"

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job; see the contract."""
        for job in jobs:
            ours, theirs = SPAWN.Pipe()
            process = SPAWN.Process(target=_do, args=(theirs, job, results), daemon=True)
            process.start()
            theirs.close()
            try:
                yield Event(job)
                yield ours.recv()
            except EOFError:
                process.join()
                yield lost(job, results, f"its process ended with exit code {process.exitcode}")
            finally:
                process.kill()
                process.join()


def _do(answer: Connection, job: Job, results: Path) -> None:
    answer.send(attempt(job, results))
