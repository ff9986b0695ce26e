"""A table of records: what its text formats have in common. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cells.cells import Key, Layout, group
from harness.core.errors import SpecError
from harness.probe import find_quantities
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.columns import (
    Column,
    Number,
    Part,
    average_columns,
    by_column,
    empty_cell,
    labels_of,
    metric_shown,
    place_in_order,
    row_costs,
    with_cell_costs,
)
from harness.tables.entries import Entry, Notes, judge
from harness.tables.footer import make_legend, make_provenance
from harness.tables.question import Question, ask
from harness.tables.spec import ALL, TableSpec


@dataclass(frozen=True)
class TableRow:
    """The values of the row fields, and what stands in each column: an entry, or a number."""

    labels: tuple[str, ...]
    cells: tuple[Entry | Number, ...]


@dataclass(frozen=True)
class Table:
    """A table before it is written in some format; footnotes are numbered from 1.

    ``legend`` is needed to read it, ``provenance`` to repeat it. ``spec`` says how it is set.
    """

    row_fields: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    legend: tuple[str, ...]
    provenance: tuple[str, ...]
    spec: TableSpec


def make_table(records: Sequence[Record], layout: Layout, spec: TableSpec, read: Read) -> Table:
    """The table of a layout.

    Args:
        records: At least one.
        layout: Its rows, its columns and what competes.
        spec: What is shown and how.
        read: Gives a run's predictions.

    Raises:
        SpecError: a cell with several specs; a comparison that mixes data, protocols or devices; an unknown metric.
    """
    costs, notes = find_quantities(spec.costs), Notes()
    questions = ask(group(records, layout), spec, read)
    if not any(question.scored for question in questions):
        check_metric(records, spec)
    judged = judge(questions, layout, spec, read, notes)
    cells = [cell for question in questions for cell in question.comparison.cells]
    row_metrics = _row_metrics(questions, layout, spec)
    is_per_cell = spec.costs_per == "cell"
    asked = by_column(questions, judged, layout, spec, is_named=not row_metrics)
    averages = average_columns(questions, layout, spec, read, notes) if spec.average or spec.rank else []
    parts = [
        *with_cell_costs(asked, cells, costs if is_per_cell else (), spec),
        *averages,
        *row_costs(cells, () if is_per_cell else costs, spec),
    ]
    rows = sorted({cell.row for cell in cells}, key=lambda key: place_in_order(key, spec))
    if spec.sort == "mean":
        rows = best_first(rows, averages[0] if spec.average else asked[0][1], spec)
    return Table(
        row_fields=tuple(map(spec.shown, [*layout.rows, *(["metric"] if row_metrics else [])])),
        columns=tuple(column for column, _ in parts),
        rows=tuple(
            TableRow(
                labels_of(row, spec) + ((row_metrics.get(row, ""),) if row_metrics else ()),
                tuple(found.get(row, empty_cell(column)) for column, found in parts),
            )
            for row in rows
        ),
        notes=tuple(notes.texts),
        legend=make_legend(layout, spec, costs, judged.evidence),
        provenance=make_provenance(records, layout, judged.evidence),
        spec=spec,
    )


def best_first(rows: Sequence[Key], part: Part, spec: TableSpec) -> list[Key]:
    """Rows by their means in a column; names in the table's order stay first, rows without a mean come last."""
    column, found = part
    sign = 1 if column.shown.endswith("↓") else -1

    def place(row: Key) -> tuple[list[int], bool, float]:
        entry = found.get(row)
        interval = entry.interval if isinstance(entry, Entry) else None
        mean = math.nan if interval is None else interval.mean
        return [spec.place(str(value)) for value in row], math.isnan(mean), 0.0 if math.isnan(mean) else sign * mean

    return sorted(rows, key=place)


def check_metric(records: Sequence[Record], spec: TableSpec) -> None:
    """Raise SpecError if finished runs exist and none has the metric."""
    there = {name for run in records for name in run.metrics}
    if there:
        metrics = (records[0].primary_metric,) if spec.metric in ((), (ALL,)) else spec.metric
        asked = " or ".join(repr(f"{spec.split}/{name}") for name in metrics)
        at_last = " at the last checkpoint" if spec.checkpoint == "last" else ""
        raise SpecError(f"no run has the metric {asked}{at_last}; the runs have {', '.join(sorted(there))}")


def _row_metrics(questions: Sequence[Question], layout: Layout, spec: TableSpec) -> dict[Key, str]:
    """The metric of each row, where tasks make rows and have different ones; else nothing."""
    shown = {question.shown for question in questions if question.scored}
    if "task" not in layout.rows or spec.metric or len(shown) < 2:
        return {}
    return {
        cell.row: metric_shown(question, spec)
        for question in questions
        for cell in question.comparison.cells
        if question.scored
    }
