"""The search of a suite: every cell with the same budget, then the winner on the suite's own seeds."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from harness.core.errors import HarnessError, HarnessWarning, SourceError
from harness.core.spec import RunSpec
from harness.executors.local import available_cores, begin_worker, interrupts_blocked
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.search.plan import make_plan
from harness.search.record import StudyRecord, readable_study
from harness.search.spec import SearchSpec
from harness.suites.suite import Cell

TUNED = " (tuned)"
"""Added to a method's label for its winner."""


def searchable(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose examples can be had; a ``HarnessWarning`` says why one of the others is not searched."""
    reached = []
    for cell in cells:
        try:
            identify(cell.run)
        except SourceError as error:
            warnings.warn(
                f"{cell.label} on {cell.spec.task.name} is not searched: {error}", HarnessWarning, stacklevel=2
            )
        else:
            reached.append(cell)
    return reached


def find_study(cell: Cell, search: SearchSpec, results: Path) -> StudyRecord | None:
    """The finished study of a cell, within the budget, or None.

    Raises:
        SourceError: the examples are out of reach, so that no study can be told to be of them.
    """
    path = results / "studies" / f"{make_plan(cell.asked, search).name}.json"
    study = readable_study(path) if path.exists() else None
    if study is None or not study.is_finished or not _covers(study.search, search):
        return None
    return study.within(search)


def _covers(larger: SearchSpec, search: SearchSpec) -> bool:
    """Whether a study with one budget holds a study with the other."""
    return (larger.trials or 0) >= (search.trials or 0) and (larger.budget_seconds or 0) >= (search.budget_seconds or 0)


def tune(cells: Sequence[Cell], search: SearchSpec, results: Path, n_workers: int) -> Iterator[StudyRecord]:
    """Search the cells whose study is not finished; yields each study as it ends.

    With several workers each searches a cell at a time, on an equal share of the processor's cores. Closing the
    iterator, or an exception inside it such as KeyboardInterrupt, ends them at once.

    Raises:
        HarnessError: a worker was killed, or its search failed.
    """
    pending = [cell.asked for cell in cells if find_study(cell, search, results) is None]
    if n_workers == 1 or len(pending) < 2:
        yield from (_search(spec, search, results) for spec in pending)
        return
    n_workers = min(n_workers, len(pending))
    threads = max(1, available_cores() // n_workers)
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), begin_worker, (threads,))
    try:
        with interrupts_blocked():
            futures = [pool.submit(_search, spec, search, results) for spec in pending]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        problem = "a process that searched was killed; out of memory is the usual cause"
        raise HarnessError(f"{problem}; the same command goes on from here") from None
    finally:
        _stop(pool)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the processes, whatever they are doing: an interrupted trial is run again next time."""
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(cancel_futures=True)


def _search(spec: RunSpec, search: SearchSpec, results: Path) -> StudyRecord:
    from harness.search.study import search_cell

    return search_cell(spec, search, results)


def tuned_cells(cells: Sequence[Cell], seeds: Sequence[int], search: SearchSpec, results: Path) -> list[Cell]:
    """The winner of every cell with a finished study, once for each seed."""
    found = [(cell.label + TUNED, find_study(cell, search, results)) for cell in cells]
    winners = [(label, study.spec_of(study.best[0])) for label, study in found if study and study.best]
    return [Cell(label, spec, run.seeded(seed)) for label, spec in winners for run in [resolve(spec)] for seed in seeds]
