"""A user's own file as a task: a CSV, TSV, JSON lines or parquet file, described by settings or by a TOML file."""

import csv
import io
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import SourceError, SpecError, nearest, unknown
from harness.metrics import METRICS
from harness.spec import describe, digest
from harness.task import Kind, Rows, Task

PLURAL = ("text", "choices", "labels", "templates", "verbalizers", "descriptions", "metrics")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
DEFAULT_METRICS: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "multiple_choice": ("accuracy",),
    "regression": ("spearman", "pearson"),
    "token_classification": ("span_f1",),
    "generation": ("exact_match",),
}


class OwnTask(BaseModel):
    """What a user says about a file; columns are named as in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Field("classification", description="What an answer is.")
    text: tuple[str, ...] = Field(min_length=1, max_length=2, description="Columns to read: one, or two for a pair.")
    target: str = Field(description="Column of the answer.")
    choices: tuple[str, ...] = Field((), description="multiple_choice: columns of the choices, or one with lists.")
    labels: tuple[str, ...] = Field((), description="Label names in order; default: those in the file, sorted.")
    templates: tuple[str, ...] = Field((), description="Prompts with {column} places; default: the texts.")
    verbalizers: tuple[str, ...] = Field((), description="Text of each label after a prompt; default: its name.")
    descriptions: tuple[str, ...] = Field((), description="A phrase for each label; default: its name.")
    metrics: tuple[str, ...] = Field((), description="The first is primary; default: by kind.")
    max_new_tokens: int = Field(64, ge=1, description="Longest generated answer.")
    validation: str | None = Field(None, description="File of validation examples, beside the first; default: carved.")
    test: str | None = Field(None, description="File of test examples, beside the first; default: carved.")


def own_task_named(name: str) -> Task:
    """The task of a name such as ``my.toml`` or ``reviews.csv?text=review&target=sentiment``.

    After the question mark come fields of OwnTask as in a URL; a field with several values is repeated, and ``\\n``
    in a template is a line break.
    """
    path, _, query = name.partition("?")
    settings: dict[str, Any] = {}
    for field, values in parse_qs(query, keep_blank_values=True).items():
        texts = tuple(value.replace("\\n", "\n") for value in values)
        settings[field] = texts if field in PLURAL else texts[-1]
    return replace(own_task(Path(path), settings), name=name)


def own_task(path: Path, settings: dict[str, Any]) -> Task:
    """A task from one's own file.

    Args:
        path: A data file; or a TOML file that names one (``file``, relative to itself) beside the fields of OwnTask.
        settings: Fields of OwnTask; they win over the TOML file's.

    Raises:
        SpecError: a field or column that is wrong, with the nearest name; or fewer than two labels.
        SourceError: a file that can't be read.
    """
    data = path
    if path.suffix == ".toml":
        described = _read_toml(path)
        settings = {**described, **settings}
        if "file" not in settings:
            raise SpecError(f'{path} names no data: file = "reviews.csv", relative to itself')
        data = path.parent / str(settings.pop("file"))
    own = _parse({name: _as_tuple(name, value) for name, value in settings.items()})
    files = {"train": data} | {
        split: path.parent / name for split, name in (("validation", own.validation), ("test", own.test)) if name
    }
    splits = {split: _read(file) for split, file in files.items()}
    for split, file in files.items():
        _check_columns(own, splits[split], file)
    rows = [row for part in splits.values() for row in part]
    labels = own.labels or _labels(own, rows, data)
    _check_labels(own, labels, data)
    phrases = tuple(label.replace("_", " ") for label in labels)
    values = [float(row[own.target]) for row in rows if own.kind == "regression" and _is_number(row.get(own.target))]
    return Task(
        name=str(path),
        source=str(data),
        kind=own.kind,
        text=own.text,
        target=own.target,
        labels=labels,
        templates=own.templates or ("\n".join(f"{{{column}}}" for column in own.text) + "\nAnswer:",),
        verbalizers=tuple(f" {text.strip()}" for text in own.verbalizers or phrases),
        descriptions=own.descriptions or phrases,
        metrics=own.metrics or DEFAULT_METRICS[own.kind],
        rows=lambda: splits,
        row=lambda row: _row(own, row),
        max_new_tokens=own.max_new_tokens,
        value_range=(min(values, default=0.0), max(values, default=1.0)),
        version=int(digest(own.model_dump()), 16),  # settings decide the result, so they are part of run_id
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(f"{path} can't be read as TOML: {error}") from None


def _as_tuple(name: str, value: Any) -> Any:
    """A single column, template or metric may be given without a list."""
    return (value,) if name in PLURAL and isinstance(value, str) else value


def _parse(settings: dict[str, Any]) -> OwnTask:
    try:
        own = OwnTask.model_validate(settings)
    except ValidationError as error:
        problems = describe(error, OwnTask, prefix="task")
        if any(problem["type"] == "missing" for problem in error.errors()):
            problems.append("name the columns, as in 'reviews.csv?text=review&target=verdict', or in a TOML file")
        raise SpecError("\n".join(problems)) from None
    for metric in own.metrics:
        if metric not in METRICS:
            raise unknown("metric", metric, METRICS)
    return own


def _read(path: Path) -> Rows:
    if path.suffix not in SUFFIXES:
        raise SpecError(f"a task's file must end in {', '.join(SUFFIXES)}; got {str(path)!r}")
    try:
        return _read_rows(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's and json's errors are ValueErrors
        raise SourceError(f"{path} can't be read: {error}") from None


@cache
def _read_rows(path: Path, modified: int) -> Rows:
    """Rows of a file, read once in a process unless it changes."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return list(pq.read_table(path).to_pylist())
    # Spreadsheets put a byte-order mark at the beginning, which utf-8-sig drops.
    text = path.read_text("utf-8-sig")
    rows: Rows = list(_json_lines(text) if path.suffix == ".jsonl" else _table(text, path.suffix))
    return rows


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        row = json.loads(line) if line.strip() else {}
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no object with named columns: {line[:60]}")
        if row:
            yield row


def _table(text: str, suffix: str) -> Iterator[dict[str, Any]]:
    """Rows as texts: "NA" is a word and 007 a label."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if suffix == ".tsv" else ",")
    for row in reader:
        if None in row:
            n_cells, n_columns = len(row) - 1 + len(row[None]), len(reader.fieldnames or ())
            raise ValueError(f"line {reader.line_num} has {n_cells} cells for {n_columns} columns")
        yield row


def _check_columns(own: OwnTask, rows: Rows, path: Path) -> None:
    if not rows:
        raise SourceError(f"{path} has no rows")
    places = [place for template in own.templates for place in _places(template)]
    if own.target in (*own.text, *places):
        raise SpecError(f"task.target {own.target!r} is also a text: the answer would be given away")
    for column in (*own.text, own.target, *own.choices, *places):
        if column not in rows[0]:
            raise SpecError(f"{path} has no column {column!r}{nearest(column, rows[0])}; it has {', '.join(rows[0])}")
    if own.kind == "multiple_choice" and not own.choices:
        raise SpecError("task.choices: multiple_choice needs the columns of the choices, or one column with lists")


def _places(template: str) -> list[str]:
    """The columns that a template shows."""
    try:
        places = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise SpecError(f"task.templates: {template!r} can't be read: {error}; write {{{{ for a brace") from None
    if not any(places):
        raise SpecError(f"task.templates: {template!r} shows no column; write {{column}} where a text goes")
    return places


def _labels(own: OwnTask, rows: Rows, path: Path) -> tuple[str, ...]:
    targets = [row.get(own.target) for row in rows]
    if own.kind == "classification":
        return tuple(sorted({str(target).strip() for target in targets if target not in (None, "")}))
    if own.kind == "token_classification":
        tags = {str(tag) for target in targets for tag in _words(target or ())} - {"O"}
        wrong = sorted(tag for tag in tags if tag[:2] not in ("B-", "I-") or len(tag) < 3)
        if wrong:
            raise SpecError(f"{path}: tags are O, B-x and I-x of each type x, by name; got {', '.join(wrong[:5])}")
        kinds = sorted({tag[2:] for tag in tags})
        return ("O", *(f"{place}-{kind}" for kind in kinds for place in "BI"))
    return ()


def _check_labels(own: OwnTask, labels: Sequence[str], path: Path) -> None:
    if own.kind in ("classification", "token_classification") and len(labels) < 2:
        raise SpecError(f"{path}: {own.target!r} has {len(labels)} label ({', '.join(labels)}): a classifier needs two")
    tags = [f"{place}-{tag[2:]}" for tag in labels[1::2] for place in "BI"]
    if own.kind == "token_classification" and list(labels) != ["O", *tags]:
        raise SpecError(f"task.labels of tags are O, then B-x and I-x of each type x; got {', '.join(labels)}")
    for name in ("verbalizers", "descriptions"):
        given = getattr(own, name)
        if given and len(given) != len(labels):
            raise SpecError(f"task.{name} needs one for each label ({', '.join(labels)}); got {len(given)}")


def _row(own: OwnTask, row: dict[str, Any]) -> dict[str, Any]:
    target = row[own.target]
    if own.kind == "classification" and target is not None:
        name = str(target).strip()
        is_index = name not in own.labels and bool(own.labels) and name.isdecimal()
        return {**row, own.target: int(name) if is_index else name}
    if own.kind == "multiple_choice":
        choices = row[own.choices[0]] if len(own.choices) == 1 else [row[column] for column in own.choices]
        if target not in choices and not str(target).strip().isdecimal():
            raise ValueError(f"target {target!r} is neither one of the choices ({', '.join(choices)}) nor its index")
        return {**row, "choices": choices, own.target: choices.index(target) if target in choices else int(target)}
    if own.kind == "token_classification":
        return {**row, own.text[0]: _words(row[own.text[0]]), own.target: _words(target)}
    return row


def _words(value: Any) -> Any:
    """A list, or the words of a cell that has them between blanks."""
    return value.split() if isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    try:
        return float(value) == float(value)
    except (TypeError, ValueError):
        return False
