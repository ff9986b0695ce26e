"""One task's results class by class."""

from collections.abc import Sequence
from dataclasses import replace

from harness.cells.cells import Cell, Layout, find_all_mixed, group
from harness.cells.choices import ClassScore
from harness.cells.confusion import Confusion, confusion_of
from harness.cells.folds import refuse_folds
from harness.core.errors import SpecError
from harness.statistics.intervals import mean_interval
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.columns import Column, labels_of, place_in_order
from harness.tables.entries import Entry
from harness.tables.footer import SPREADS, Evidence, make_provenance
from harness.tables.spec import TableSpec
from harness.tables.table import Table, TableRow

EXPLAINED: dict[ClassScore, str] = {
    "recall": "recall: which share of a class's examples was answered so",
    "precision": "precision: which share of the answers that name a class is right",
    "f1": "f1: the harmonic mean of precision and recall of a class",
}


def make_class_table(records: Sequence[Record], layout: Layout, spec: TableSpec, read: Read) -> Table:
    """A row for each cell of one task, a column for each class that its examples have, with their number.

    Raises:
        SpecError: several tasks, one without classes, no predictions, or comparisons mix unlike runs and may not.
    """
    assert spec.per_class
    refuse_folds(records, "--per-class")
    task = _only_task(records)
    comparisons = group(records, layout)
    find_all_mixed(comparisons, read, spec.split, spec.mixed)
    cells = sorted((cell for each in comparisons for cell in each.cells), key=lambda cell: _order(cell, spec))
    found = [confusion_of(cell, read, spec.split) for cell in cells]
    if not any(found):
        raise SpecError(f"no run of {task} has stored predictions of {spec.split}")
    first = next(confusion for confusion in found if confusion)
    support = first.counts[0].sum(axis=1).astype(int)
    classes = support.nonzero()[0].tolist()
    n_seeds = len({run.spec.seed for run in records})
    return Table(
        row_fields=tuple(map(spec.shown, layout.rows)),
        columns=tuple(Column((spec.shown(first.labels[place]),), f"n = {support[place]}") for place in classes),
        rows=tuple(_row(cell, one, classes, n_seeds, spec) for cell, one in zip(cells, found, strict=True)),
        notes=(),
        legend=(
            f"Percent of {spec.shown(task)} on {spec.split}, {EXPLAINED[spec.per_class]}; mean"
            f"{SPREADS[spec.spread]} (number of seeds). n is the number of examples. Nothing was tested.",
        ),
        provenance=make_provenance(records, layout, Evidence()),
        spec=spec,
    )


def _only_task(records: Sequence[Record]) -> str:
    tasks = sorted({run.spec.task.name for run in records})
    if len(tasks) > 1:
        raise SpecError(f"--per-class is about one task; keep one with --where task=… ({', '.join(tasks)})")
    return tasks[0]


def _order(cell: Cell, spec: TableSpec) -> list[tuple[int, tuple[int, float, str]]]:
    return place_in_order(cell.row + cell.column, spec)


def _row(cell: Cell, confusion: Confusion | None, classes: Sequence[int], n_seeds: int, spec: TableSpec) -> TableRow:
    """The scores of a cell by class, or why it has none."""
    assert spec.per_class
    if confusion is None:
        word = "no predictions" if cell.ok else cell.runs[-1].status.replace("_", " ")
        return TableRow(labels_of(cell.row, spec), (Entry(word=word),) * len(classes))
    scores = confusion.scores(spec.per_class)
    intervals = (mean_interval(scores[:, place].tolist()) for place in classes)
    # Seeds that agree say nothing about other examples: no ± is no certainty, ± 0 would be one.
    known = (replace(interval, half_width=interval.half_width or None) for interval in intervals)
    return TableRow(labels_of(cell.row, spec), tuple(Entry(interval=one, n_planned=n_seeds) for one in known))
