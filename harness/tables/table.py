"""A table of records: what its text formats have in common. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cells.cells import Key, Layout, group, sort_key
from harness.cells.scores import Measure
from harness.cells.ties import Family
from harness.core.errors import SpecError
from harness.probe import Quantity
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.entries import Entry, judge
from harness.tables.footer import make_footer


@dataclass(frozen=True)
class TableRow:
    """The values of the row fields, and an entry for each column."""

    labels: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Column:
    """The values of the column fields, and the metric shown."""

    labels: tuple[str, ...]
    metric: str


@dataclass(frozen=True)
class Table:
    """A table before it is written in some format; footnotes are numbered from 1."""

    row_fields: tuple[str, ...]
    columns: tuple[Column, ...]
    costs: tuple[Quantity, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    footer: tuple[str, ...]


def make_table(
    records: Sequence[Record],
    layout: Layout,
    measure: Measure,
    read: Read,
    costs: Sequence[Quantity] = (),
    family: Family = "tasks",
    allow_mixed: bool = False,
) -> Table:
    """The table of a layout.

    Args:
        records: At least one.
        layout: Its rows, its columns and what competes.
        measure: The number shown.
        read: Gives a run's predictions.
        costs: Quantities shown beside the metric.
        family: What Holm's correction runs over.
        allow_mixed: Show comparisons of unlike runs, marked and untested, instead of refusing.

    Raises:
        SpecError: a cell with several specs; a comparison that mixes data, protocols or devices; an unknown metric.
    """
    judged = judge(group(records, layout), layout, measure, read, costs, family, allow_mixed)
    if not any(entry.interval for entry in judged.entries.values()):
        check_metric(records, measure)
    rows = sorted({row for row, _ in judged.entries}, key=sort_key)
    columns = sorted({column for _, column in judged.entries}, key=sort_key)
    return Table(
        row_fields=layout.rows,
        columns=tuple(
            Column(_labels(column), judged.metrics[column].name if column in judged.metrics else "")
            for column in columns
        ),
        costs=tuple(costs),
        rows=tuple(
            TableRow(_labels(row), tuple(judged.entries.get((row, column), Entry()) for column in columns))
            for row in rows
        ),
        notes=judged.notes,
        footer=make_footer(records, layout, measure, costs, judged.evidence),
    )


def check_metric(records: Sequence[Record], measure: Measure) -> None:
    """Raise SpecError if finished runs exist and none has the metric."""
    there = {name for run in records for name in run.metrics}
    if there:
        asked = f"{measure.split}/{measure.metric or records[0].primary_metric}"
        at_last = " at the last checkpoint" if measure.checkpoint == "last" else ""
        raise SpecError(f"no run has the metric {asked!r}{at_last}; the runs have {', '.join(sorted(there))}")


def _labels(key: Key) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in key)
