"""What a table asks: each comparison by each measure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cells.cells import Comparison, find_all_mixed
from harness.cells.scores import Measure, Scored, score_cells
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.spec import ALL, TableSpec


@dataclass(frozen=True)
class Question:
    """One comparison by one measure: its scored cells, what it mixes; whether differences can be tested."""

    comparison: Comparison
    measure: Measure
    scored: Sequence[Scored]
    problems: Sequence[str]

    @property
    def shown(self) -> str:
        """The metric's name; nothing where no run has one."""
        return self.scored[0].metric.name if self.scored else ""

    @property
    def testable(self) -> Sequence[Scored]:
        """The cells that can be tested: predictions are those of the chosen checkpoint, and of one kind of runs."""
        return [] if self.problems or self.measure.checkpoint == "last" else self.scored


def ask(comparisons: Sequence[Comparison], spec: TableSpec, read: Read) -> list[Question]:
    """Every comparison by every measure that some of its runs have, and at least by one.

    Raises:
        SpecError: a comparison mixes unlike runs and may not.
    """
    asked = [(comparison, measure) for comparison in comparisons for measure in _measures(comparison, spec)]
    by_split: defaultdict[str, dict[int, Comparison]] = defaultdict(dict)
    for comparison, measure in asked:
        by_split[measure.split][id(comparison)] = comparison
    mixed = {
        (place, split): problems
        for split, found in by_split.items()
        for place, problems in zip(found, find_all_mixed([*found.values()], read, split, spec.mixed), strict=True)
    }
    return [
        Question(each, measure, score_cells(each, measure), mixed[id(each), measure.split]) for each, measure in asked
    ]


def _measures(comparison: Comparison, spec: TableSpec) -> list[Measure]:
    runs = [run for cell in comparison.cells for run in cell.ok]
    elsewhere = dict.fromkeys(task for run in runs for task in run.data.out_of_domain) if spec.out_of_domain else ()
    measures = [
        Measure(name, split, spec.checkpoint)
        for split in (spec.split, *elsewhere)
        for name in _metrics(runs, split, spec)
    ]
    there = [measure for measure in measures if any(measure.of(run) is not None for run in runs)]
    return there or measures[:1]


def _metrics(runs: Sequence[Record], split: str, spec: TableSpec) -> Iterator[str | None]:
    """Names, the primary one first where all are asked for; None is the primary one."""
    if spec.metric and spec.metric != (ALL,):
        yield from spec.metric
        return
    yield None
    if spec.metric:
        primary = {run.primary_metric for run in runs}
        names = dict.fromkeys(key.removeprefix(f"{split}/") for run in runs for key in run.metrics if "/" in key)
        yield from (name for name in names if name not in primary and "/" not in name)
