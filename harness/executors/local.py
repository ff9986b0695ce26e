"""Worker processes of this machine. Imports no torch itself."""

import os
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from harness.core.spec import BaseSpec
from harness.executor import Event, Executor, Job, lost
from harness.executors._process import (
    answer_of,
    available_cores,
    begin_worker,
    cause_of_death,
    collected_warnings,
    interrupts_blocked,
    log_to,
    opened,
)

STOP_SECONDS = 2.0
"""How long a worker that is told to end may take."""


class Local(Executor):
    """Worker processes on this machine, each with an equal share of the processor's cores.

    A worker keeps the base it has loaded and prefers jobs of that base. One that dies loses its job only: the others go
    on, in a new worker.
    """

    source: ClassVar[str] = "https://docs.python.org/3/library/multiprocessing.html"

    workers: int = Field(1, ge=1, description="Processes; the cores are shared out among them.")

    @property
    def n_at_once(self) -> int:
        """One job a worker."""
        return self.workers

    def run(self, jobs: Sequence[Job], results: Path) -> Generator[Event, None, None]:
        """Do every job; see the contract."""
        waiting = list(jobs)
        n_workers = min(self.workers, len(jobs))
        threads = max(1, available_cores() // max(1, n_workers))
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.job for worker in workers):
                workers = [worker for worker in workers if worker.is_alive]
                while len(workers) < min(n_workers, len(waiting) + sum(worker.job is not None for worker in workers)):
                    workers.append(_Worker(results, threads))
                for worker in [worker for worker in workers if waiting and worker.job is None]:
                    job = _take(waiting, worker, workers)
                    worker.give(job)
                    yield Event(job)
                for worker in _answered(workers):
                    yield worker.collect()
        finally:
            _stop(workers)


def _take(waiting: list[Job], worker: "_Worker", workers: list["_Worker"]) -> Job:
    """The next job for a worker: of its own base, else of the base that the fewest workers hold; in order."""
    holders = Counter(other.base for other in workers if other is not worker)
    job = min(waiting, key=lambda job: (job.spec.base != worker.base, holders[job.spec.base]))
    waiting.remove(job)
    return job


def _answered(workers: list["_Worker"]) -> list["_Worker"]:
    """Wait until at least one busy worker has answered or died; those workers."""
    ready = wait([worker.connection for worker in workers if worker.job])
    return [worker for worker in workers if worker.connection in ready]


def _stop(workers: list["_Worker"]) -> None:
    """End the processes, whatever they are doing: a run leaves either a whole record or none."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


class _Worker:
    """A process that does one job at a time."""

    def __init__(self, results: Path, threads: int) -> None:
        self.results = results
        self.base: BaseSpec | None = None
        self.job: Job | None = None
        self.is_alive = True
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, results, threads), daemon=True)
        with interrupts_blocked():
            self.process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        """Begin a job."""
        self.job, self.base = job, job.spec.base
        # A worker that died while idle is noticed when its answer is collected.
        with suppress(BrokenPipeError):
            self.connection.send(job)

    def collect(self) -> Event:
        """How the job ended; written here if the worker could not.

        Raises:
            StorageError: the disk is full.
            SpecError: the results folder can't be written.
        """
        assert self.job is not None
        job, self.job = self.job, None
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            self.is_alive = False
            return lost(job, self.results, cause_of_death(self.process.exitcode))
        return opened(answer)


def _serve(connection: Connection, results: Path, threads: int) -> None:
    """What a worker does: the jobs it is sent."""
    begin_worker(threads)
    log_to(results / "runs" / ".logs" / f"worker-{os.getpid()}.log")
    from harness.bases.load import keep_bases
    from harness.data import keep_examples

    keep_bases()
    keep_examples()
    told = collected_warnings()
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        connection.send(answer_of(job, results, told))
