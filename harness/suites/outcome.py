"""What has become of a suite. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.storage.record import RETRIED
from harness.storage.store import Store
from harness.suites.plan import PlannedCell

UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Outcome:
    """The status of every cell with its reason, and sentences on what a user may not expect of the examples."""

    results: tuple[tuple[str, str | None], ...]
    notes: tuple[str, ...]

    @property
    def lacks_results(self) -> bool:
        """Whether a cell that should have a result has none: a diverged run is one, a skipped cell is not asked for."""
        return any(status in (*RETRIED, UNAVAILABLE) for status, _ in self.results)


def find_outcome(planned: Sequence[PlannedCell], store: Store) -> Outcome:
    """The outcome of planned cells after their jobs were done."""
    found = [store.find(cell.run_id) for cell in planned if cell.run_id]
    records = [record for record in found if record]
    results: list[tuple[str, str | None]] = [(record.status, record.reason) for record in records]
    results += [(UNAVAILABLE, cell.reason) for cell in planned if cell.state == UNAVAILABLE]
    notes = (f"{record.spec.task.name}: {sentence}" for record in records for sentence in record.data.notes())
    return Outcome(tuple(results), tuple(dict.fromkeys(notes)))
