"""Records grouped into cells, and the cells that compete in one comparison."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter
from typing import Any

from harness.cells.folds import replicate
from harness.core.errors import SpecError, unknown
from harness.core.spec import RunSpec
from harness.core.toml import read_value
from harness.storage.predictions import Read
from harness.storage.record import Record

AXES = {
    "method": "method.name",
    "recipe": "recipe",
    "task": "task.name",
    "base": "base.name",
    "quantization": "base.quantization",
}
"""Short names of the spec fields that tables are usually made of."""

TUNING = "tuning"
"""Field that ``label_tuning`` adds where a search has tuned some of the runs; placed like an axis."""

LABEL = "label"
"""Field of a record with what its suite calls the method: it places the method where it makes rows or columns."""

SETTING = ("task", "base", "quantization")
"""Axes that methods are compared within, unless told otherwise."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Layout:
    """Which fields make rows and columns, and along which of them cells compete.

    A field is an axis (``method``), a spec field (``training.learning_rate``) or a record field
    (``environment.accelerator``).

    Raises:
        SpecError: tasks would compete.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    competing: tuple[str, ...]

    def __post_init__(self) -> None:
        if "task" in self.competing:
            raise SpecError("results on different tasks can't be compared; leave task out of --compare")

    @property
    def fields(self) -> tuple[str, ...]:
        """Row fields, then column fields."""
        return self.rows + self.columns

    @property
    def shared(self) -> tuple[str, ...]:
        """Fields on which all cells of a comparison agree."""
        return tuple(field for field in self.fields if field not in self.competing)


@dataclass(frozen=True)
class Cell:
    """The runs of one cell, one for each seed (and fold), in their order."""

    row: Key
    column: Key
    runs: tuple[Record, ...]

    @cached_property
    def ok(self) -> tuple[Record, ...]:
        """The runs that ended well."""
        return tuple(run for run in self.runs if run.status == "ok")


@dataclass(frozen=True)
class Comparison:
    """Cells that compete: they agree on the layout's shared fields."""

    key: Key
    cells: tuple[Cell, ...]


def lookup(record: Record, field: str) -> Any:
    """A field's value in a record, a list's as text; None where the record has no such field or it is no one value."""
    return _getter(field)(record)


@cache
def _getter(field: str) -> Callable[[Record], Any]:
    """Looks a field up; axes are asked of 10,000 records many times, so they are read without a loop."""
    if field in AXES:
        return attrgetter(f"spec.{AXES[field]}")
    path = field.split(".")
    is_of_spec = path[0] in RunSpec.model_fields
    if path[0] == "recipe":
        return lambda record: _plain(record.spec.flat().get(field))

    def get(record: Record) -> Any:
        value: Any = record.spec if is_of_spec else record
        for part in path:
            value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        return _plain(value)

    return get


def _plain(value: Any) -> Any:
    listed = _listed(value)
    return listed if isinstance(listed, bool | int | float | str) else None


def _listed(value: Any) -> Any:
    """A list of plain values as text, such as ``query, value``."""
    if isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
        return ", ".join(map(str, value))
    return value


def device(record: Record) -> str:
    """The accelerator a run used, or the processor's name."""
    accelerator = str(record.environment.get("accelerator") or "cpu")
    return str(record.environment.get("cpu") or "cpu") if accelerator == "cpu" else accelerator


def parse_where(conditions: Iterable[str]) -> dict[str, list[Any]]:
    """Field → allowed values, from ``field=value`` strings; the same field twice allows either value."""
    allowed: defaultdict[str, list[Any]] = defaultdict(list)
    for condition in conditions:
        field, separator, text = condition.partition("=")
        if not separator or not field:
            raise SpecError(f"--where needs field=value, such as method=lora; got {condition!r}")
        allowed[field] += [_listed(read_value(text)), text]
    return dict(allowed)


def select(records: Iterable[Record], where: dict[str, list[Any]]) -> list[Record]:
    """Records with one of the allowed values in every field.

    Raises:
        SpecError: an unknown field, or no record is left; says which values there are.
    """
    found = list(records)
    if not found:
        raise SpecError("no finished run in the results folder; `harness run` or `harness suite` makes some")
    check_fields(found, where)
    for field, values in where.items():
        kept = [record for record in found if lookup(record, field) in values]
        if not kept:
            there = sorted({str(lookup(record, field)) for record in found})
            raise SpecError(f"no run has {field}={values[-1]}; there are {', '.join(there)}")
        found = kept
    return found


def check_fields(records: Sequence[Record], fields: Iterable[str]) -> None:
    """Raise SpecError for a field that no record has."""
    for field in fields:
        if all(lookup(record, field) is None for record in records):
            there = {name for record in records for name in record.spec.flat()}
            if field not in there:
                raise unknown("field", field, {*AXES, *there})


def make_layout(
    records: Sequence[Record],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    competing: Sequence[str] = (),
) -> Layout:
    """A layout that places every axis on which the records differ.

    By default columns are tasks, rows are base, quantization (where they vary), method, recipe and tuning (where they
    vary), and cells compete along everything but task, base and quantization.

    Raises:
        SpecError: an unknown field, an axis that varies and is placed nowhere, or tasks that would compete.
    """
    check_fields(records, [*rows, *columns, *competing])
    varying = [axis for axis in (*AXES, TUNING) if len({lookup(record, axis) for record in records}) > 1]
    columns = tuple(columns) or (("task",) if "task" not in rows else ("method",))
    if not rows:
        rows = tuple(axis for axis in (*SETTING, "method", "recipe", TUNING) if axis not in columns)
        rows = tuple(axis for axis in rows if axis in varying or axis == "method") or ("task",)
    placed = tuple(rows) + columns
    placed_by_label = {"method"} if LABEL in placed else set()
    if missing := [axis for axis in varying if axis not in {*placed, *placed_by_label}]:
        raise SpecError(
            f"the runs differ in {', '.join(missing)}: add it to --rows or --columns, or keep one value with --where"
        )
    if unplaced := [field for field in competing if field not in placed]:
        raise SpecError(f"--compare {unplaced[0]} is neither in --rows nor in --columns ({', '.join(placed)})")
    default = tuple(field for field in placed if field not in SETTING)
    return Layout(tuple(rows), columns, tuple(competing) or default)


def group(records: Iterable[Record], layout: Layout) -> list[Comparison]:
    """The comparisons of a layout, and in each its cells; both sorted by their keys.

    Raises:
        SpecError: a cell holds runs whose specs differ in more than the seed.
    """
    cells: defaultdict[tuple[Key, Key], list[Record]] = defaultdict(list)
    for record in records:
        row = tuple(lookup(record, field) for field in layout.rows)
        cells[row, tuple(lookup(record, field) for field in layout.columns)].append(record)
    comparisons: defaultdict[Key, list[Cell]] = defaultdict(list)
    for (row, column), runs in sorted(cells.items(), key=lambda item: sort_key(item[0][0] + item[0][1])):
        _check_one_spec(runs, layout)
        by_field = dict(zip(layout.fields, row + column, strict=True))
        shared = tuple(by_field[field] for field in layout.shared)
        comparisons[shared].append(Cell(row, column, _one_per_seed(runs)))
    ordered = sorted(comparisons.items(), key=lambda item: sort_key(item[0]))
    return [Comparison(key, tuple(cells)) for key, cells in ordered]


def title_of(comparison: Comparison) -> str:
    """The values that its cells share."""
    return ", ".join(str(value) for value in comparison.key if value is not None) or "all runs"


Label = Callable[[Record], str]
"""What a run's cell is called among those it competes with."""


def label_of(run: Record, competing: Sequence[str]) -> str:
    """The values along which cells compete; fields that are no axis with their names."""
    found = {field: value for field in competing if (value := lookup(run, field)) is not None}
    named = {*AXES, TUNING, LABEL}
    return ", ".join(str(value) if field in named else f"{field}={value}" for field, value in found.items())


def sort_key(key: Key) -> list[tuple[int, float, str]]:
    """Numbers by size, then text; the precisions from full to low."""
    quantizations = {"none": 0, "8bit": 1, "4bit": 2}
    return [
        (0, float(value), "") if isinstance(value, int | float) else (quantizations.get(value, 1), 0.0, str(value))
        for value in key
    ]


def _check_one_spec(runs: Sequence[Record], layout: Layout) -> None:
    differing = differing_fields(runs)
    if not differing:
        return
    cell = ", ".join(str(lookup(runs[0], field)) for field in layout.fields)
    listed = "; ".join(f"{field} ({_some(values)})" for field, values in differing.items())
    field, values = next(iter(differing.items()))
    raise SpecError(
        f"the runs of cell ({cell}) differ in {listed}; keep one with --where {field}={values[0]}, "
        f"or let them compete: --rows {','.join([*layout.rows, field])} of a table, "
        f"--compare {','.join([*layout.competing, field])} of a figure"
    )


def _some(values: Sequence[str]) -> str:
    return ", ".join(values[:6]) + ", …" * (len(values) > 6)


UNDECISIVE = {"seed", "probes", "task.fold"}
"""Fields of a spec in which the runs of one cell may differ."""


def differing_fields(runs: Sequence[Record]) -> dict[str, list[str]]:
    """The spec fields that may change results, but for the seed, in which runs differ, with the values found."""
    names = set(RunSpec.model_fields) - UNDECISIVE
    if all(getattr(run.spec, name) == getattr(runs[0].spec, name) for run in runs[1:] for name in names):
        return {}
    flat = [run.spec.flat() for run in runs]
    fields = sorted({name for spec in flat for name in spec if name not in UNDECISIVE})
    values = {field: sorted({str(spec.get(field)) for spec in flat}) for field in fields}
    return {field: found for field, found in values.items() if len(found) > 1}


def layout_of_all(records: Sequence[Record]) -> Layout:
    """The layout that holds any records: one row for every task, base, quantization, method and differing setting."""
    cells: defaultdict[Key, list[Record]] = defaultdict(list)
    for record in records:
        cells[tuple(lookup(record, axis) for axis in AXES)].append(record)
    settings = sorted({field for runs in cells.values() for field in differing_fields(runs)})
    trained = ("method", "recipe") if any(run.spec.recipes for runs in cells.values() for run in runs) else ("method",)
    return Layout(rows=(*SETTING, *trained, *settings), columns=(), competing=(*trained, *settings))


def _one_per_seed(runs: Iterable[Record]) -> tuple[Record, ...]:
    """The newest run of each seed: an older one has other versions of the method, the task or the data."""
    newest = {replicate(run): run for run in sorted(runs, key=lambda run: (run.finished_at, run.run_id))}
    return tuple(newest[seed] for seed in sorted(newest))


def find_all_mixed(comparisons: Sequence[Comparison], read: Read, split: str, allow: bool) -> list[list[str]]:
    """What each comparison mixes.

    Raises:
        SpecError: one mixes something, and that is not allowed.
    """
    mixed = [find_mixed(comparison, read, split) for comparison in comparisons]
    lines = [
        f"comparison ({', '.join(map(str, comparison.key))}) mixes {problem}"
        for comparison, problems in zip(comparisons, mixed, strict=True)
        for problem in problems
    ]
    if lines and not allow:
        more = [f"… and {len(lines) - 10} more"] if len(lines) > 10 else []
        fields = "data.fingerprint=… or weights.fingerprint=…"
        remedy = f"keep one kind with --where (such as {fields}), or pass --mixed to show them untested"
        raise SpecError("\n".join([*lines[:10], *more, remedy]))
    return mixed


def find_mixed(comparison: Comparison, read: Read, split: str) -> list[str]:
    """What the finished runs of a comparison should agree on and don't, one phrase each.

    Training examples may differ between seeds (subsamples are seeded) but not between methods, so fingerprints are
    compared seed by seed; the examples of the split that is reported may not differ at all, unless they are folds.
    """
    runs = [run for cell in comparison.cells for run in cell.ok]
    by_seed: defaultdict[int, set[str]] = defaultdict(set)
    for run in runs:
        by_seed[replicate(run)].add(run.data.fingerprint)
    kinds = {f"data fingerprints for seed {seed}": found for seed, found in sorted(by_seed.items())}
    kinds["split protocols"] = {run.data.protocol for run in runs}
    kinds["numbers of folds"] = {str(run.spec.task.folds or "none") for run in runs}
    by_base: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        by_base[run.spec.base.name].add(run.weights.fingerprint or "unknown")
    kinds |= {f"weights of base {name}": found for name, found in sorted(by_base.items())}
    kinds["devices"] = {device(run) for run in runs}
    mixed = [f"{kind} ({', '.join(sorted(found))})" for kind, found in kinds.items() if len(found) > 1]
    by_fingerprint = {run.data.fingerprint: run for run in reversed(runs) if not run.spec.task.folds}
    answers = (
        [found for run in by_fingerprint.values() if (found := read(run, split))] if len(by_fingerprint) > 1 else []
    )
    if not all(answers[0].same_examples(other) for other in answers[1:]):
        mixed.append(f"{split} examples")
    return mixed
