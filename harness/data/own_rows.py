"""The rows of a user's own files as examples: each cell read as the task's kind has it, or refused with its line."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.core.errors import SourceError, SpecError, nearest
from harness.data.choices import choices_of, count_from_one, index_of, right_choice
from harness.data.examples import is_missing, number_of, text_of, without_blanks
from harness.data.own_fields import OwnTask
from harness.data.tables import Cells, RawTable
from harness.task import Example, Found

EXACT = 2**53
"""Integers below it are exact as floating-point numbers."""

OwnAnswer = tuple[Any, tuple[str, ...], tuple[str, ...]]
"""Target, choices, tokens."""


def read_examples(own: OwnTask, tables: Mapping[str, RawTable]) -> tuple[Found, tuple[str, ...]]:
    """The examples of every file, and the label names in order: those given, else those found, numbers by their value.

    Raises:
        SourceError: a row that can't be understood, with its line; a file in which no row has a target.
        SpecError: fewer than two labels, or tags and choices in a form that is not read.
    """
    found = Found({})
    for split, table in tables.items():
        found.splits[split] = list(_examples(own, split, table, found.left_out))
        if not found.splits[split]:
            raise SourceError(
                f"{table.path} has no row with a target in {own.target!r}; leave the file out, or fill it"
            )
    if own.kind == "multiple_choice":
        _check_first_index(own, tables)
    if own.kind not in ("classification", "token_classification"):
        return found, ()
    labels = own.labels or (_in_order if own.kind == "classification" else _of_tags)(own, found.splits)
    index = {label: place for place, label in enumerate(labels)}
    for part in found.splits.values():
        part[:] = [replace(example, target=_indices(example.target, index)) for example in part]
    return found, labels


def _check_first_index(own: OwnTask, tables: Mapping[str, RawTable]) -> None:
    rows = [cells for table in tables.values() for cells in table.rows]
    if count_from_one(rows, own.choices, own.target):
        raise SourceError(
            f"{tables['train'].path}: no target in {own.target!r} is 0, so they seem to count from 1: count from 0, "
            "or give letters (A, B, …) or the choices' texts"
        )


def _examples(own: OwnTask, split: str, table: RawTable, left_out: Counter[str]) -> Iterable[Example]:
    first, *others = own.fields
    for number, cells in enumerate(table.rows):
        try:
            if is_missing(cells[own.target]):
                left_out[f"{split} rows without a target"] += 1
                continue
            target, choices, tokens = READERS[own.kind](own, cells)
            if own.kind == "multiple_choice":
                target, choices = without_blanks(target, choices, split, left_out)
            if own.kind == "token_classification" and not tokens:
                left_out[f"{split} rows without words"] += 1
                continue
            fields = {first: " ".join(tokens) or text_of(cells[first])}
            fields |= {column: text_of(cells[column]) for column in others}
        except KeyError as error:
            raise table.error(number, f"no column {error.args[0]!r}") from None
        except ValueError as error:
            raise table.error(number, error) from None
        yield Example(f"{split}/{number}", fields, target, choices, tokens)


def _classification(own: OwnTask, cells: Cells) -> OwnAnswer:
    return _label(own, cells[own.target]), (), ()


def _label(own: OwnTask, value: Any) -> str:
    """The label's name; where names are given, an index among them will do unless a name is a number itself."""
    if isinstance(value, list | dict):
        raise ValueError(f"target {value!r:.60} is no single label: several for one text are not supported")
    name = _name(value)
    if not own.labels or name in own.labels:
        return name
    index = int(value) if isinstance(value, bool) else index_of(value)
    if index is not None and index < len(own.labels) and not any(index_of(label) is not None for label in own.labels):
        return own.labels[index]
    raise ValueError(f"target {name!r} is none of the labels ({', '.join(own.labels[:10])}){nearest(name, own.labels)}")


def _name(value: Any) -> str:
    """A label's name: 1.0, as a column of integers with gaps is often written, is 1."""
    is_integral = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_integral and abs(value) < EXACT else text_of(value)


def _multiple_choice(own: OwnTask, cells: Cells) -> OwnAnswer:
    texts, letters = choices_of(own.choices, cells)
    return right_choice(cells[own.target], texts, letters), texts, ()


def _regression(own: OwnTask, cells: Cells) -> OwnAnswer:
    return number_of(cells[own.target]), (), ()


def _generation(own: OwnTask, cells: Cells) -> OwnAnswer:
    text = text_of(cells[own.target])
    for stop in own.stop or ():
        if stop in text:
            raise ValueError(f"the target contains the stop text {stop!r}, so no answer could equal it")
    return text, (), ()


def _tagging(own: OwnTask, cells: Cells) -> OwnAnswer:
    tokens = tuple(text_of(word) for word in _words(own.text[0], cells))
    tags = tuple(_label(own, tag) for tag in _words(own.target, cells))
    if len(tokens) != len(tags):
        raise ValueError(f"{len(tokens)} words in {own.text[0]!r} have {len(tags)} tags in {own.target!r}")
    return tags, (), tokens


def _words(column: str, cells: Cells) -> Sequence[Any]:
    """A list, or the words of a text that has them between blanks."""
    value = cells[column]
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list):
        raise ValueError(f"{column!r} has {value!r}: a list belongs there, or a text with blanks between its words")
    return value


READERS: dict[str, Callable[[OwnTask, Cells], OwnAnswer]] = {
    "classification": _classification,
    "multiple_choice": _multiple_choice,
    "regression": _regression,
    "token_classification": _tagging,
    "generation": _generation,
}
"""Kind of task → reader of a row's answer; a label is a name as yet."""


def _indices(target: Any, index: Mapping[str, int]) -> int | tuple[int, ...]:
    return tuple(index[tag] for tag in target) if isinstance(target, tuple) else index[target]


def _in_order(own: OwnTask, splits: Mapping[str, list[Example]]) -> tuple[str, ...]:
    """The labels of train, by value where all are numbers, else by name."""
    names = {split: {str(example.target) for example in part} for split, part in splits.items()}
    distinct = sorted(names["train"])
    for split, found in names.items():
        if new := sorted(found - names["train"]):
            raise SpecError(
                f"{own.target!r} has labels in {split} that are not in train: {', '.join(new[:5])}; "
                "name all of them in task.labels if that is right"
            )
    try:
        return tuple(sorted(distinct, key=number_of))
    except ValueError:
        return tuple(distinct)


def _of_tags(own: OwnTask, splits: Mapping[str, list[Any]]) -> tuple[str, ...]:
    """O, then B- and I- of each type in the order of their names."""
    tags = {tag for part in splits.values() for example in part for tag in example.target} - {"O"}
    wrong = sorted(tag for tag in tags if tag[:2] not in ("B-", "I-") or len(tag) < 3)
    if wrong:
        raise SpecError(
            f"tags in {own.target!r} are O, B-x and I-x of each type x, by name; got {', '.join(wrong[:5])}"
        )
    return ("O", *(f"{place}-{kind}" for kind in sorted({tag[2:] for tag in tags}) for place in "BI"))
