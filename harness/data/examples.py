"""A source's rows become examples: text stripped, targets checked, only the columns that the task names."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from string import Formatter
from typing import Any

from harness.errors import SourceError, nearest
from harness.task import Example, Rows, Target, Task


def build(task: Task, rows: Rows, split: str) -> list[Example]:
    """The examples of one split, in the order of the rows; ids are ``<split>/<row number>``.

    Rows without a target (null, empty, or the hub's -1) are left out, so that an unlabelled split is empty. An empty
    text is kept: it is answered like any other; only an example to be tagged that has no tokens is left out.

    Raises:
        SourceError: a column is missing, or a target is not one of the task's.
    """
    columns = field_columns(task)
    examples = []
    for number, source_row in enumerate(rows):
        try:
            row = task.row(source_row) if task.row else source_row
            if row is not None and not _is_missing(task, row[task.target]):
                examples.append(_example(task, row, columns, f"{split}/{number}"))
        except KeyError as error:
            column = str(error.args[0])
            raise SourceError(
                f"{task.name}: row {number} of {split} has no column {column!r}{nearest(column, source_row)}; "
                f"it has {', '.join(source_row)}"
            ) from None
        except (TypeError, ValueError) as error:
            raise SourceError(f"{task.name}: row {number} of {split}: {error}") from None
    if task.kind == "token_classification":
        return [example for example in examples if example.tokens]
    return examples


def field_columns(task: Task) -> list[str]:
    """Columns that encoders and templates use: never the target's."""
    places = {name for template in task.templates for _, name, _, _ in Formatter().parse(template) if name}
    return [*task.text, *sorted(places - set(task.text))]


def fields_of(task: Task, texts: Mapping[str, Any]) -> dict[str, str]:
    """Fields of texts that come from elsewhere than the task's own source, with what its ``row`` makes of them.

    A ``row`` that reads more than the texts is left out, and a column that only it makes is absent.
    """
    row = dict(texts)
    with suppress(KeyError):
        row = (task.row(row) if task.row else None) or row
    return {column: _text(row[column]) for column in field_columns(task) if column in row}


def _example(task: Task, row: dict[str, Any], columns: Sequence[str], identity: str) -> Example:
    fields = {column: _text(row[column]) for column in columns}
    choices = tuple(_text(choice) for choice in row["choices"]) if task.kind == "multiple_choice" else ()
    tokens = tuple(row[task.text[0]]) if task.kind == "token_classification" else ()
    target = _target(task, row[task.target], len(choices))
    if isinstance(target, tuple) and len(target) != len(tokens):
        raise ValueError(f"{len(tokens)} tokens have {len(target)} labels")
    return Example(identity, fields, target, choices, tokens)


def _text(value: Any) -> str:
    """Stripped text; a list of tokens is joined by blanks, null is empty."""
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value).strip()


def _is_missing(task: Task, target: Any) -> bool:
    if target is None or target == "" or target != target:
        return True
    is_hub_gap = isinstance(target, int | float) and target == -1
    return is_hub_gap and (task.kind != "regression" or task.value_range[0] > -1)


def _target(task: Task, value: Any, n_choices: int) -> Target:
    if task.kind == "regression":
        return float(value)
    if task.kind == "generation":
        return str(value).strip()
    if task.kind == "token_classification":
        return tuple(_index(tag, task.labels) for tag in value)
    return _index(value, task.labels or tuple(map(str, range(n_choices))))


def _index(value: Any, labels: Sequence[str]) -> int:
    """The label's index, from an index, a truth value or a label's name."""
    if isinstance(value, str):
        if value.strip() in labels:
            return labels.index(value.strip())
    elif int(value) == value and 0 <= value < len(labels):
        return int(value)
    allowed = ", ".join(f"{index} {label}" for index, label in enumerate(labels[:10]))
    raise ValueError(f"target {value!r} is none of the {len(labels)} labels ({allowed}{', …' * (len(labels) > 10)})")
