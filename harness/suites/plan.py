"""Which cells of a suite are done, and what the others will cost. Imports no torch."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple, get_args

from harness.core.errors import HarnessError
from harness.core.spec import RunSpec
from harness.executor import Job
from harness.recipe import passes_of
from harness.runs.identity import identify
from harness.runs.resolve import Resolved
from harness.storage.record import RETRIED, Record
from harness.storage.store import Store
from harness.suites.suite import SuiteRun

State = Literal["done", "to run", "failed", "skipped", "unavailable"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class PlannedCell:
    """A cell of a suite, what is known of it, and why it won't run if it won't."""

    label: str
    run: Resolved
    state: State
    run_id: str | None
    reason: str | None = None

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.run.spec

    @property
    def outlook(self) -> State:
        """The state, but for a cell that will be skipped when its turn comes: that one is skipped already."""
        return "skipped" if self.state == "to run" and self.reason else self.state

    @property
    def job(self) -> Job | None:
        """What is to be done for it, if anything; a cell that will be skipped leaves a record that says so."""
        return Job(self.run_id, self.spec, label=self.label) if self.state == "to run" and self.run_id else None


def plan(cells: Iterable[SuiteRun], store: Store, retry_failed: bool = False) -> list[PlannedCell]:
    """The state of every cell: by its record, or by whether its method and its data allow it to run.

    Args:
        cells: The expanded suite.
        store: Where the records are.
        retry_failed: Whether cells that failed or ran out of memory are to run again.
    """
    retried = RETRIED if retry_failed else ()
    return [_plan_cell(cell, store, retried) for cell in cells]


def _plan_cell(cell: SuiteRun, store: Store, retried: Collection[str]) -> PlannedCell:
    try:
        run_id = identify(cell.run)
    except HarnessError as error:
        return PlannedCell(cell.label, cell.run, "unavailable", None, str(error))
    record = store.find(run_id)
    if record is None or record.status in retried:
        return PlannedCell(cell.label, cell.run, "to run", run_id, cell.run.skip_reason())
    state: State = "skipped" if record.status == "skipped" else "failed" if record.status in RETRIED else "done"
    return PlannedCell(cell.label, cell.run, state, run_id, record.reason)


@dataclass(frozen=True)
class Expected:
    """What cells are expected to cost: seconds of those to run that a finished run tells of, and how many none does."""

    seconds: float
    n_known: int
    n_unknown: int


class _Spent(NamedTuple):
    """Seconds of a finished run: of training, for each pass of a step, and of all else."""

    per_pass: float
    rest: float

    @classmethod
    def of(cls, record: Record) -> "_Spent":
        training = record.cost.train_seconds
        return cls(training / passes_of(record.spec), record.cost.total_seconds - training)

    def with_passes(self, passes: float) -> float:
        return self.rest + passes * self.per_pass


class Costs:
    """Expected seconds of a run: the median of finished runs of its method on its base and task, else of its method.

    Of runs with the same recipes, else of others, whose training is scaled by the passes of a step.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._found: defaultdict[tuple[str, ...], list[_Spent]] = defaultdict(list)
        for record in records:
            # A recipe that is no longer installed tells nothing.
            with suppress(HarnessError):
                if record.status == "ok":
                    spent = _Spent.of(record)
                    for key in self._keys(record.spec):
                        self._found[key].append(spent)

    def expected_seconds(self, spec: RunSpec) -> float | None:
        """Seconds, or None where no run of the method has finished yet."""
        found = next((self._found[key] for key in self._keys(spec) if key in self._found), None)
        return median(spent.with_passes(passes_of(spec)) for spent in found) if found else None

    def expected(self, cells: Iterable[PlannedCell], n_at_once: int = 1) -> Expected:
        """The cost of what is to run among these cells, so many at the same time."""
        seconds = [self.expected_seconds(cell.spec) for cell in cells if cell.outlook == "to run"]
        known = [value for value in seconds if value is not None]
        return Expected(sum(known) / n_at_once, len(known), len(seconds) - len(known))

    @staticmethod
    def _keys(spec: RunSpec) -> list[tuple[str, ...]]:
        cell = (spec.method.name, spec.base.name, spec.base.quantization, spec.task.name)
        return [(*cell, spec.recipe), cell, (spec.method.name,)]
