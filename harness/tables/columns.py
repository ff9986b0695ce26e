"""The columns of a table: what is measured, its costs, averages over tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.cells.cells import Cell, Key, Layout, sort_key
from harness.core.units import with_unit
from harness.probe import Quantity
from harness.storage.predictions import Read
from harness.tables.averages import average_entries, average_groups, rank_entries
from harness.tables.entries import Entry, Judged, Notes, mean_costs
from harness.tables.question import Question
from harness.tables.spec import TableSpec


@dataclass(frozen=True)
class Number:
    """A number without an interval: what it shows, and its value, None where there is none."""

    value: float | None = None
    text: str = "–"


@dataclass(frozen=True)
class Column:
    """The values of the column fields, and what is shown below them, with an arrow where less is better."""

    labels: tuple[str, ...]
    shown: str
    is_number: bool = False


Part = tuple[Column, Mapping[Key, Entry | Number]]
"""A column, and what it has in the row of a key."""


def metric_shown(question: Question, spec: TableSpec) -> str:
    """The metric as a head shows it, with an arrow where less is better."""
    arrow = " ↓" if question.scored and not question.scored[0].metric.higher_is_better else ""
    return spec.shown(question.shown) + arrow


def empty_cell(column: Column) -> Entry | Number:
    """What stands where a row has nothing."""
    return Number() if column.is_number else Entry()


def labels_of(key: Key, spec: TableSpec) -> tuple[str, ...]:
    """The values of a key as they are shown."""
    return tuple("" if value is None else spec.shown(str(value)) for value in key)


def place_in_order(key: Key, spec: TableSpec) -> list[tuple[int, tuple[int, float, str]]]:
    """Names in the table's order come first, then all others as they are sorted everywhere."""
    return [(spec.place(str(value)), rest) for value, rest in zip(key, sort_key(key), strict=True)]


def by_column(
    questions: Sequence[Question], judged: Judged, layout: Layout, spec: TableSpec, is_named: bool
) -> list[tuple[Key, Part]]:
    """The columns in their order, each with the key of its cells; ``is_named`` after their metrics."""
    found: dict[tuple[Key, str, str], tuple[Column, dict[Key, Entry | Number]]] = {}
    for question, entries in zip(questions, judged.entries, strict=True):
        for (row, column), entry in entries.items():
            place = column, question.measure.split, question.shown if is_named else ""
            if place not in found:
                metric = metric_shown(question, spec) if is_named else ""
                found[place] = Column(_column_labels(column, question, layout, spec), metric), {}
            found[place][1][row] = entry
    _merge_unnamed(found)
    splits = list(dict.fromkeys(split for _, split, _ in found))
    ordered = sorted(found.items(), key=lambda item: (place_in_order(item[0][0], spec), splits.index(item[0][1])))
    return [(key, part) for (key, _, _), part in ordered]


def _merge_unnamed(found: dict[tuple[Key, str, str], tuple[Column, dict[Key, Entry | Number]]]) -> None:
    """Comparisons without any result go to the column of those that have one."""
    for key, split, shown in list(found):
        named = next((place for place in found if place[:2] == (key, split) and place[2]), None)
        if not shown and named:
            found[named][1].update(found.pop((key, split, shown))[1])


def _column_labels(key: Key, question: Question, layout: Layout, spec: TableSpec) -> tuple[str, ...]:
    """The values of the column fields, and of a test out of domain the task that it is of."""
    labels = labels_of(key, spec)
    if question.measure.split != spec.split:
        at = layout.columns.index("task") if "task" in layout.columns else -1
        elsewhere = f"{labels[at]} → {spec.shown(question.measure.split)}"
        labels = tuple(elsewhere if i == at % len(labels) else label for i, label in enumerate(labels))
    return labels


def with_cell_costs(
    parts: Sequence[tuple[Key, Part]], cells: Sequence[Cell], costs: Sequence[Quantity], spec: TableSpec
) -> list[Part]:
    """The columns, those of the same cells followed by the costs of these."""
    means = {(cell.row, cell.column): mean_costs(cell, costs) for cell in cells}
    result: list[Part] = []
    for key, same in groupby(parts, key=lambda part: part[0]):
        result += [part for _, part in same]
        for place, cost in enumerate(costs):
            column = Column(labels_of(key, spec), spec.shown(cost.name), is_number=True)
            found = {row: values[place] for (row, of), values in means.items() if of == key and values}
            result.append((column, {row: _cost(value, cost) for row, value in found.items()}))
    return result


def _cost(value: float | None, cost: Quantity) -> Number:
    return Number() if value is None else Number(value, with_unit(value, cost.unit))


def row_costs(cells: Sequence[Cell], costs: Sequence[Quantity], spec: TableSpec) -> list[Part]:
    """A column for each cost: the mean over the cells of a row that ended well."""
    unique = {id(cell): cell for cell in cells}.values()
    parts: list[Part] = []
    for place, cost in enumerate(costs):
        by_row: dict[Key, list[float | None]] = {}
        for cell in unique:
            if values := mean_costs(cell, costs):
                by_row.setdefault(cell.row, []).append(values[place])
        known = {row: [value for value in values if value is not None] for row, values in by_row.items()}
        means = {
            row: sum(values) / len(values) if len(values) == len(by_row[row]) else None for row, values in known.items()
        }
        column = Column((spec.shown(cost.name),), "", is_number=True)
        parts.append((column, {row: _cost(value, cost) for row, value in means.items()}))
    return parts


def average_columns(
    questions: Sequence[Question], layout: Layout, spec: TableSpec, read: Read, notes: Notes
) -> list[Part]:
    """A column for each value of the column fields beside the task: the mean over tasks, then the rank."""
    found: dict[tuple[str, Key], dict[Key, Entry | Number]] = {}
    for each in average_groups(questions, layout, spec):
        if spec.average:
            for (row, column), entry in average_entries(each, layout, spec, read, notes).items():
                found.setdefault(("average", column), {})[row] = entry
        if spec.rank:
            for (row, column), rank in rank_entries(each).items():
                found.setdefault(("average rank", column), {})[row] = Number(rank, f"{rank:.2f}")
    ordered = sorted(found.items(), key=lambda item: (item[0][0], place_in_order(item[0][1], spec)))
    return [
        (Column((*labels_of(key, spec), spec.shown(what)), "", is_number=what != "average"), rows)
        for (what, key), rows in ordered
    ]
