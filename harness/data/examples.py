"""A source's rows become examples: text stripped, targets checked, only the columns that the task names."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from harness.core import template
from harness.core.errors import SourceError, SpecError, nearest
from harness.task import Example, Rows, Target, Task


def build(task: Task, rows: Rows, split: str, left_out: Counter[str] | None = None) -> list[Example]:
    """The examples of one split, in the order of the rows; ids are ``<split>/<row number>``.

    Rows without a target (null, blank, or the hub's -1) are left out, so that an unlabelled split is empty. An empty
    text is kept: it is answered like any other; only an example to be tagged that has no tokens is left out, and of
    a question the choices that are blank.

    Args:
        task: What the rows are read as.
        rows: Cells by column.
        split: Its name.
        left_out: Counts what is left out.

    Raises:
        SourceError: a column is missing, or a cell is no text or target of this task.
    """
    columns = field_columns(task)
    left_out = Counter() if left_out is None else left_out
    examples = []
    for number, source_row in enumerate(rows):
        try:
            row = task.row(source_row) if task.row else source_row
            if row is None:
                continue
            if _is_unlabelled(task, row[task.target]):
                left_out[f"{split} rows without a target"] += 1
                continue
            example = _example(task, row, columns, f"{split}/{number}", left_out)
        except KeyError as error:
            column = str(error.args[0])
            raise SourceError(
                f"{task.name}: row {number} of {split} has no column {column!r}{nearest(column, source_row)}; "
                f"it has {', '.join(source_row)}"
            ) from None
        except (TypeError, ValueError) as error:
            raise SourceError(f"{task.name}: row {number} of {split}: {error}") from None
        if task.kind == "token_classification" and not example.tokens:
            left_out[f"{split} rows without words"] += 1
            continue
        examples.append(example)
    return examples


def field_columns(task: Task) -> list[str]:
    """Columns that encoders and templates use: never the target's."""
    places = {column for text in task.templates for column in template.columns(text)}
    return [*task.text, *sorted(places - set(task.text))]


def fields_of(task: Task, texts: Mapping[str, Any]) -> dict[str, str]:
    """Fields of texts that come from elsewhere than the task's own source, with what its ``row`` makes of them.

    A ``row`` that reads more than the texts is left out, and a column that only it makes is absent.

    Raises:
        SpecError: a text that is a structure.
    """
    row = dict(texts)
    with suppress(KeyError):
        row = (task.row(row) if task.row else None) or row
    try:
        return {column: text_of(row[column]) for column in field_columns(task) if column in row}
    except ValueError as error:
        raise SpecError(f"task {task.name}: {error}") from None


def is_missing(value: Any) -> bool:
    """Whether a cell has nothing: null, NaN, or no character that shows."""
    return value is None or value != value or (isinstance(value, str | bytes) and not value.strip())


def text_of(value: Any) -> str:
    """The stripped text of a cell: empty for null and NaN, a number in digits, ``true`` or ``false``.

    Raises:
        ValueError: a structure, a date, or bytes that are no UTF-8: nothing that has one obvious text.
    """
    if is_missing(value):
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            raise ValueError(
                f"bytes that are no UTF-8 text ({value[:20]!r}); images and the like can't be read"
            ) from None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Decimal):
        return str(value).strip()
    what = "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else type(value).__name__
    raise ValueError(f"{what} ({str(value)[:60]}) where a text belongs: write its text into a column of its own")


def without_blanks(
    target: int, choices: Sequence[str], split: str, left_out: Counter[str]
) -> tuple[int, tuple[str, ...]]:
    """The target among the choices that are not blank, and these.

    Raises:
        ValueError: the right choice is blank, or fewer than two are left.
    """
    if not 0 <= target < len(choices):
        raise ValueError(f"target {target} is the index of none of the {len(choices)} choices; indices count from 0")
    if not choices[target]:
        raise ValueError(f"target {target} is a blank choice")
    kept = tuple(choice for choice in choices if choice)
    if len(kept) < 2:
        raise ValueError(f"the only choice is {kept[0]!r}: a question needs two")
    if len(kept) < len(choices):
        left_out[f"{split} choices that are blank"] += len(choices) - len(kept)
    return sum(bool(choice) for choice in choices[:target]), kept


def number_of(value: Any) -> float:
    """A finite number.

    Raises:
        ValueError: no number, or none that is finite.
    """
    try:
        number = math.nan if isinstance(value, bool) or "_" in str(value) else float(text_of(value))
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"target {value!r} is no finite number; leave it empty where there is none")
    return number


def _example(task: Task, row: dict[str, Any], columns: Sequence[str], identity: str, left_out: Counter[str]) -> Example:
    value = row[task.target]
    if task.kind == "token_classification":
        tokens = tuple(row[task.text[0]])
        tags = tuple(_index(tag, task.labels) for tag in value)
        if len(tags) != len(tokens):
            raise ValueError(f"{len(tokens)} tokens have {len(tags)} labels")
        others = {column: text_of(row[column]) for column in columns[1:]}
        return Example(identity, {task.text[0]: " ".join(tokens), **others}, tags, (), tokens)
    fields = {column: text_of(row[column]) for column in columns}
    if task.kind == "multiple_choice":
        texts = [text_of(choice) for choice in row["choices"]]
        target = _index(value, tuple(map(str, range(len(texts)))))
        return Example(identity, fields, *without_blanks(target, texts, identity.partition("/")[0], left_out))
    return Example(identity, fields, _target(task, value))


def _is_unlabelled(task: Task, target: Any) -> bool:
    """Whether a target is missing; -1 is the hub's way to say so, but an answer that is generated may be -1."""
    is_hub_gap = isinstance(target, int | float) and target == -1 and task.kind != "generation"
    return is_missing(target) or (is_hub_gap and (task.kind != "regression" or task.value_range[0] > -1))


def _target(task: Task, value: Any) -> Target:
    if task.kind == "regression":
        return number_of(value)
    return text_of(value) if task.kind == "generation" else _index(value, task.labels)


def _index(value: Any, labels: Sequence[str]) -> int:
    """The label's index, from an index, a truth value or a label's name."""
    if isinstance(value, str):
        if value.strip() in labels:
            return labels.index(value.strip())
    elif isinstance(value, int | float) and 0 <= value < len(labels) and int(value) == value:
        return int(value)
    allowed = ", ".join(f"{index} {label}" for index, label in enumerate(labels[:10]))
    raise ValueError(f"target {value!r} is none of the {len(labels)} labels ({allowed}{', …' * (len(labels) > 10)})")
