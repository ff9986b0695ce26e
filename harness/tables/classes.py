"""One task's results class by class."""

from collections.abc import Sequence

from harness.cells.cells import Layout, group, sort_key
from harness.cells.confusion import ClassScore, confusion_of
from harness.cells.folds import refuse_folds
from harness.core.errors import SpecError
from harness.statistics.intervals import mean_interval
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.columns import Column
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
    """A row for each cell of one task, a column for each class with its number of examples.

    Raises:
        SpecError: several tasks, one without classes, or no predictions.
    """
    assert spec.per_class
    refuse_folds(records, "--per-class")
    tasks = sorted({run.spec.task.name for run in records})
    if len(tasks) > 1:
        raise SpecError(f"--per-class is about one task; keep one with --where task=… ({', '.join(tasks)})")
    cells = [cell for comparison in group(records, layout) for cell in comparison.cells]
    confusions = {id(cell): found for cell in cells if (found := confusion_of(cell, read, spec.split))}
    if not confusions:
        raise SpecError(f"no run of {tasks[0]} has stored predictions of {spec.split}")
    first = next(iter(confusions.values()))
    rows = []
    for cell in sorted(cells, key=lambda cell: [(spec.place(str(v)), *sort_key((v,))) for v in cell.row + cell.column]):
        found = confusions.get(id(cell))
        labels = tuple("" if value is None else spec.shown(str(value)) for value in cell.row)
        word = "no predictions" if cell.ok else cell.runs[-1].status.replace("_", " ")
        intervals = [mean_interval(scores) for scores in found.scores(spec.per_class).T.tolist()] if found else []
        n_planned = len({run.spec.seed for run in records})
        entries = [Entry(interval=interval, n_planned=n_planned) for interval in intervals]
        rows.append(TableRow(labels, tuple(entries or [Entry(word=word)] * len(first.labels))))
    support = first.counts[0].sum(axis=1).astype(int).tolist()
    return Table(
        row_fields=tuple(map(spec.shown, layout.rows)),
        columns=tuple(Column((spec.shown(label),), f"n = {n}") for label, n in zip(first.labels, support, strict=True)),
        rows=tuple(rows),
        notes=(),
        legend=(
            f"Percent of {tasks[0]} on {spec.split}, {EXPLAINED[spec.per_class]}; mean"
            f"{SPREADS[spec.spread]} (number of seeds). n is the number of examples. Nothing was tested.",
        ),
        provenance=make_provenance(records, layout, Evidence()),
        spec=spec,
    )
