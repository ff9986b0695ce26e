"""Which cells of a suite are done, and what the others will cost. Imports no torch."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from harness import identity
from harness.errors import HarnessError
from harness.record import Record
from harness.spec import RunSpec
from harness.store import Store
from harness.suite import Cell

State = Literal["done", "skipped", "failed", "to run", "unavailable"]
RETRIED = ("failed", "out_of_memory")
"""What ``--retry-failed`` runs again. A run that diverged would diverge again: it is a result."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a suite, what is known of it, and why it won't run if it won't."""

    label: str
    spec: RunSpec
    state: State
    run_id: str | None
    reason: str | None = None

    @property
    def outlook(self) -> State:
        """The state, but for a cell that will be skipped when its turn comes: that one is skipped already."""
        return "skipped" if self.state == "to run" and self.reason else self.state


def plan(cells: Iterable[Cell], store: Store, retry_failed: bool = False) -> list[PlannedCell]:
    """The state of every cell: by its record, or by whether its method and its data allow it to run.

    Args:
        cells: The expanded suite.
        store: Where the records are.
        retry_failed: Whether cells that failed or ran out of memory are to run again.
    """
    retried = RETRIED if retry_failed else ()
    return [_plan_cell(cell, store, retried) for cell in cells]


def _plan_cell(cell: Cell, store: Store, retried: Collection[str]) -> PlannedCell:
    try:
        run_id = identity.identify(cell.spec)
    except HarnessError as error:
        return PlannedCell(cell.label, cell.spec, "unavailable", None, str(error))
    record = store.find(run_id)
    if record is None or record.status in retried:
        return PlannedCell(cell.label, cell.spec, "to run", run_id, identity.skip_reason(cell.spec))
    state: State = "skipped" if record.status == "skipped" else "failed" if record.status in RETRIED else "done"
    return PlannedCell(cell.label, cell.spec, state, run_id, record.reason)


class Costs:
    """Expected seconds of a run: the median of finished runs of its method on its base and task, else of its method."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._seconds: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
        for record in records:
            if record.status == "ok":
                for key in self._keys(record.spec):
                    self._seconds[key].append(record.cost.total_seconds)

    def expected_seconds(self, spec: RunSpec) -> float | None:
        """Seconds, or None where no run of the method has finished yet."""
        found = next((self._seconds[key] for key in self._keys(spec) if key in self._seconds), None)
        return median(found) if found else None

    @staticmethod
    def _keys(spec: RunSpec) -> list[tuple[str, ...]]:
        method = spec.method.name
        return [(method, spec.base.name, spec.base.quantization, spec.task.name), (method,)]
