"""Which records are a suite's."""

import warnings
from collections.abc import Iterable, Sequence

from harness.cells.cells import TUNING, lookup
from harness.cells.tuning import DEFAULT
from harness.core.errors import HarnessWarning, SpecError
from harness.core.spec import RunSpec
from harness.storage.record import Record
from harness.suites.suite import Suite, SuiteRun, expand


def select_suite(records: Iterable[Record], suite: Suite) -> list[Record]:
    """The records of a suite's cells; where it searches, those of tuned settings of the same cells too.

    A ``HarnessWarning`` counts the runs that the suite asks for and that are not among them.

    Raises:
        SpecError: there is none.
    """
    runs = expand(suite)
    specs = [cell.spec for cell in runs]
    asked = {_key(spec) for spec in specs}
    cells = {_cell(spec) for spec in specs} if suite.search else set()
    found = [
        record for record in records if _key(record.spec) in asked or (is_tuned(record) and _cell(record.spec) in cells)
    ]
    if not found:
        raise SpecError("no finished run is of this suite; `harness suite` makes them")
    if suite.race is None:  # a race makes only the runs that it needs
        _say_missing(runs, found)
    return found


def _say_missing(runs: Sequence[SuiteRun], found: Iterable[Record]) -> None:
    there = {_key(record.spec) for record in found}
    if missing := [cell for cell in runs if _key(cell.spec) not in there]:
        names = list(dict.fromkeys(f"{cell.label} on {cell.spec.task.name}" for cell in missing))
        listed = ", ".join(names[:8]) + ", …" * (len(names) > 8)
        text = f"{len(missing)} of {len(runs)} runs of the suite are not there ({listed}); `harness suite` makes them"
        warnings.warn(text, HarnessWarning, stacklevel=3)


def is_tuned(record: Record) -> bool:
    """Whether a search has found its settings."""
    return lookup(record, TUNING) not in (None, DEFAULT)


def _cell(spec: RunSpec) -> tuple[object, ...]:
    """What settings are tuned within."""
    return spec.method.name, spec.recipe, spec.task, spec.base, spec.seed


def _key(spec: RunSpec) -> str:
    """What a run is; what it measures beside doesn't make it another one."""
    return spec.model_copy(update={"probes": ()}).model_dump_json()
