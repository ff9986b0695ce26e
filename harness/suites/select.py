"""Which records are a suite's."""

from collections.abc import Iterable

from harness.cells.cells import TUNING, lookup
from harness.cells.tuning import DEFAULT
from harness.core.errors import SpecError
from harness.core.spec import RunSpec
from harness.storage.record import Record
from harness.suites.suite import Suite, expand


def select_suite(records: Iterable[Record], suite: Suite) -> list[Record]:
    """The records of a suite's cells; where it searches, those of tuned settings of the same cells too.

    Raises:
        SpecError: there is none.
    """
    specs = [cell.spec for cell in expand(suite)]
    asked = {_key(spec) for spec in specs}
    cells = {_cell(spec) for spec in specs} if suite.search else set()
    found = [
        record for record in records if _key(record.spec) in asked or (is_tuned(record) and _cell(record.spec) in cells)
    ]
    if not found:
        raise SpecError("no finished run is of this suite; `harness suite` makes them")
    return found


def is_tuned(record: Record) -> bool:
    """Whether a search has found its settings."""
    return lookup(record, TUNING) not in (None, DEFAULT)


def _cell(spec: RunSpec) -> tuple[object, ...]:
    """What settings are tuned within."""
    return spec.method.name, spec.recipe, spec.task, spec.base, spec.seed


def _key(spec: RunSpec) -> str:
    """What a run is; what it measures beside doesn't make it another one."""
    return spec.model_copy(update={"probes": ()}).model_dump_json()
