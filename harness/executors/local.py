"""Local worker processes that run jobs; a worker that dies loses its job only. Imports no torch itself."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread

from harness.core.errors import HarnessError, StorageError
from harness.core.spec import BaseSpec, RunSpec
from harness.storage.record import RETRIED, Record
from harness.storage.store import Store

STOP_SECONDS = 2.0
"""How long a worker that is told to end may take."""


@dataclass(frozen=True)
class Job:
    """A run to do, with the run_id of its spec."""

    run_id: str
    spec: RunSpec


@dataclass(frozen=True)
class Event:
    """A job that a worker took (no record yet) or finished."""

    job: Job
    record: Record | None = None


def run_jobs(jobs: list[Job], results: Path, n_workers: int) -> Generator[Event, None, None]:
    """Run every job in ``n_workers`` processes; yield an event as each starts and as each finishes.

    A worker keeps the base it has loaded and prefers jobs of that base. Each computes with an equal share of the
    processor's cores. A job that raises, or whose worker is killed, leaves a record with status ``failed`` and the
    reason; the others go on, in a new worker where one died. A full disk ends all of them: no job could store its
    result, and a failure on record would not be tried again. Closing the iterator, or an exception inside it such as
    KeyboardInterrupt, ends the workers at once: what they were running has no record and is run again next time.

    Raises:
        StorageError: the disk is full.
    """
    waiting = list(jobs)
    n_workers = min(n_workers, len(jobs))
    threads = max(1, available_cores() // max(1, n_workers))
    workers: list[Worker] = []
    try:
        while waiting or any(worker.job for worker in workers):
            workers = [worker for worker in workers if worker.is_alive]
            while len(workers) < min(n_workers, len(waiting) + sum(worker.job is not None for worker in workers)):
                workers.append(Worker(results, threads))
            for worker in [worker for worker in workers if waiting and worker.job is None]:
                job = _take(waiting, worker, workers)
                worker.give(job)
                yield Event(job)
            for worker in _answered(workers):
                yield Event(*worker.collect())
    finally:
        _stop(workers)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def _take(waiting: list[Job], worker: "Worker", workers: list["Worker"]) -> Job:
    """The next job for a worker: of its own base, else of the base that the fewest workers hold; in order."""
    holders = Counter(other.base for other in workers if other is not worker)
    job = min(waiting, key=lambda job: (job.spec.base != worker.base, holders[job.spec.base]))
    waiting.remove(job)
    return job


def _answered(workers: list["Worker"]) -> list["Worker"]:
    """Wait until at least one busy worker has answered or died; those workers."""
    ready = wait([worker.connection for worker in workers if worker.job])
    return [worker for worker in workers if worker.connection in ready]


def _stop(workers: list["Worker"]) -> None:
    """End the processes, whatever they are doing: a run leaves either a whole record or none."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


class Worker:
    """A process that runs one job at a time."""

    def __init__(self, results: Path, threads: int) -> None:
        self.store = Store(results)
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

    def collect(self) -> tuple[Job, Record]:
        """The job that ended and its record, which is written here if the worker could not.

        Raises:
            StorageError: the disk is full.
        """
        assert self.job is not None
        job, self.job = self.job, None
        reason: str | None = None
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            run_id, reason = job.run_id, _cause_of_death(self.process.exitcode)
            self.is_alive = False
        else:
            if isinstance(answer, StorageError):
                raise answer
            run_id, reason = answer
        record = self.store.find(run_id)
        if record is None or (reason and record.status in RETRIED):
            record = self._failure(job, reason or "the run ended without a record")
        return job, record

    def _failure(self, job: Job, reason: str) -> Record:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = Record(
            run_id=job.run_id, status="failed", reason=reason, spec=job.spec, started_at=now, finished_at=now
        )
        with self.store.writing(job.run_id, job.spec) as folder:
            self.store.finish(folder, record)
        return record


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"the worker process ended with exit code {exit_code}"
    hint = "; out of memory is the usual cause" if -exit_code == signal.SIGKILL else ""
    return f"the worker process was killed by {signal.Signals(-exit_code).name}{hint}"


def end_with_parent() -> None:
    """Let this process, which multiprocessing started, end at once when its parent is gone, even by SIGKILL.

    What it was doing leaves no record, and is done again by the next command.
    """
    parent = parent_process()
    assert parent is not None

    def wait_for_the_end() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait_for_the_end, daemon=True).start()


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """A process started inside never sees Ctrl-C, which a terminal sends to parent and children alike."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker(threads: int) -> None:
    """What a process that computes for another one does first: end when that one does, and keep to its share."""
    end_with_parent()
    # Read by OpenMP, MKL and the tokenizers when they are first imported, which is with the first run.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(threads)


def _serve(connection: Connection, results: Path, threads: int) -> None:
    """What a worker does: run the jobs it is sent; answer (run_id, None), (run_id, why it failed), or the full disk."""
    begin_worker(threads)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _log_to(results / "runs" / ".logs" / f"worker-{os.getpid()}.log")
    from harness.bases.load import keep_bases
    from harness.data import keep_examples
    from harness.runs.run import run

    keep_bases()
    keep_examples()
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        answer: tuple[str, str | None] | StorageError
        try:
            answer = (run(job.spec, results).run_id, None)
        except StorageError as error:
            answer = error
        except HarnessError as error:
            answer = (job.run_id, str(error))
        except Exception as error:
            answer = (job.run_id, f"{type(error).__name__}: {error}")
        connection.send(answer)


def _log_to(path: Path) -> None:
    """Send this process's output and error streams to a file, those of native libraries too.

    Nowhere, where that can't be written: the run then says why.
    """
    flags = os.O_WRONLY | os.O_APPEND
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, flags | os.O_CREAT, 0o666)
    except OSError:
        file = os.open(os.devnull, flags)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
