"""What a process that works for another one does, and what becomes of it."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from harness.core.errors import HarnessError, HarnessWarning
from harness.executor import Event, Job, attempt
from harness.storage.record import Record
from harness.storage.store import Store


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


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
    _end_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep_to(threads)


def keep_to(threads: int) -> None:
    """Let this process compute on so many threads: said before its first job."""
    # Read by OpenMP, MKL and the tokenizers when they are first imported, which is with the first job.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(threads)


def collected_warnings() -> list[str]:
    """Where the program's own warnings are put from now on; the log has those of libraries."""
    told: list[str] = []
    show = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, HarnessWarning):
            told.append(str(message))
        else:
            show(message, category, *place, **options)

    warnings.showwarning = tell
    return told


Answer = tuple[Event | HarnessError, list[str]]
"""How a job ended, or the error that ends all jobs; and what to warn of."""


def answer_of(job: Job, results: Path, told: list[str]) -> Answer:
    """Do a job in a process that works for another one.

    Args:
        job: What is done.
        results: Folder of runs and studies.
        told: What ``collected_warnings`` gave; it is emptied.
    """
    ended: Event | HarnessError
    try:
        ended = attempt(job, results)
    except HarnessError as error:
        ended = error
    answer = (ended, told.copy())
    told.clear()
    return answer


def serve(job: Job, results: Path, threads: int, finished_at: str | None) -> Answer:
    """Do a job in a process that a cluster has started, perhaps not for the first time.

    Args:
        job: What is done.
        results: Folder of runs and studies.
        threads: What a job computes on.
        finished_at: Of the record there was when the job was given. Another one was made by an earlier try, which ended
            before it could tell: it stands.
    """
    told = _begun(threads)
    if not job.search:
        record: Record | None = Store(results).find(job.id)
        if record and record.finished_at != finished_at:
            return Event(job, record), []
    return answer_of(job, results, told)


@cache
def _begun(threads: int) -> list[str]:
    """Begin to be a worker, once in a process; where warnings are put."""
    keep_to(threads)
    from harness.bases.load import keep_bases
    from harness.data import keep_examples

    keep_bases()
    keep_examples()
    return collected_warnings()


def last_finished(job: Job, results: Path) -> str | None:
    """When the run that is on record now was finished, as ``serve`` is told."""
    record = None if job.search else Store(results).find(job.id)
    return record.finished_at if record else None


def opened(answer: Answer) -> Event:
    """How the job ended; warns here of what the worker was warned of.

    Raises:
        StorageError: the disk is full.
        SpecError: the results folder can't be written.
    """
    ended, told = answer
    for sentence in told:
        warnings.warn(sentence, HarnessWarning, stacklevel=3)
    if isinstance(ended, HarnessError):
        raise ended
    return ended


def _end_with_parent() -> None:
    """Let this process, which multiprocessing started, end at once when its parent is gone, even by SIGKILL.

    What it was doing leaves no record, and is done again by the next command.
    """
    parent = parent_process()
    assert parent is not None

    def wait_for_the_end() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait_for_the_end, daemon=True).start()


def cause_of_death(exit_code: int | None) -> str:
    """Why a process ended before its job did, in a sentence."""
    if exit_code is None or exit_code >= 0:
        return f"the worker process ended with exit code {exit_code}"
    hint = "; out of memory is the usual cause" if -exit_code == signal.SIGKILL else ""
    return f"the worker process was killed by {signal.Signals(-exit_code).name}{hint}"


def log_to(path: Path) -> None:
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
