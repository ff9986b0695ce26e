"""The search of a suite: every cell with the same budget, then the winner on the suite's own seeds."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.core.errors import HarnessError, HarnessWarning, SourceError
from harness.executor import Event, Job
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.search.plan import make_plan
from harness.search.record import StudyRecord, readable_study
from harness.search.spec import SearchSpec
from harness.suites.suite import Suite, SuiteRun, expand_studies

TUNED = " (tuned)"
"""Added to a method's label for its winner."""


def searched_cells(suite: Suite) -> list[SuiteRun]:
    """The cells of a suite that are searched, if any are; a ``HarnessWarning`` says whose examples are out of reach."""
    reached = []
    for cell in expand_studies(suite) if suite.search else ():
        try:
            identify(cell.run)
        except SourceError as error:
            warnings.warn(
                f"{cell.label} on {cell.spec.task.name} is not searched: {error}", HarnessWarning, stacklevel=2
            )
        else:
            reached.append(cell)
    return reached


def study_jobs(cells: Sequence[SuiteRun], search: SearchSpec, results: Path) -> list[Job]:
    """The studies of these cells that are not finished yet.

    Raises:
        SourceError: the examples of a cell are out of reach.
    """
    pending = [cell for cell in cells if find_study(cell, search, results) is None]
    return [Job(make_plan(cell.asked, search).name, cell.asked, search, cell.label) for cell in pending]


def find_study(cell: SuiteRun, search: SearchSpec, results: Path) -> StudyRecord | None:
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


def all_found(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, and an error in the end if a study failed: a suite reports no winner among fewer than asked.

    Raises:
        HarnessError: the studies that failed, and why.
    """
    problems = []
    for event in events:
        yield event
        if event.problem:
            problems.append(f"the search {event.job.id} failed: {event.problem}")
    if problems:
        raise HarnessError("\n".join([*problems, "the same command goes on from here"]))


def winners(
    suite: Suite, cells: Sequence[SuiteRun], results: Path, defaults: Iterable[SuiteRun] = ()
) -> list[SuiteRun]:
    """The winner of every searched cell with a finished study, once for each seed of the suite.

    One whose settings are those of a default is left out: it is that run.
    """
    assert suite.search
    found = [(cell.label + TUNED, find_study(cell, suite.search, results)) for cell in cells]
    specs = [(label, study.spec_of(study.best[0])) for label, study in found if study and study.best]
    known = {cell.spec for cell in defaults}
    return [
        SuiteRun(label, spec, seeded)
        for label, spec in specs
        for run in [resolve(spec)]
        for seeded in map(run.seeded, suite.seeds)
        if seeded.spec not in known
    ]
