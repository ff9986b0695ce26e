"""Answers to the test examples, as predictions.parquet holds them, aligned between runs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, HarnessWarning
from harness.storage.files import one_line
from harness.storage.record import Record
from harness.storage.store import Store

Array = NDArray[Any]

PREDICTIONS = "predictions.parquet"

AnswerKind = Literal["numbers", "sequences", "texts"]
"""Labels are numbers too, and tags are sequences of them."""


@dataclass(frozen=True)
class Answers:
    """One run's answers to one split, in the order of the file; all shapes are (N,).

    Ids are an Arrow column. Labels are int64, numbers float64; texts and tuples of tags are objects.
    """

    example_ids: Any
    targets: Array
    predictions: Array

    def same_examples(self, other: "Answers") -> bool:
        """Whether both answer the same questions, in the same order, with the same targets."""
        return bool(self.example_ids.equals(other.example_ids)) and np.array_equal(self.targets, other.targets)


Read = Callable[[Record, str], Answers | None]
"""A run's answers to a split, or None where it has none."""


@dataclass(frozen=True)
class Place:
    """Where a predictions file of ``n_rows`` has the examples of a split, and their ids."""

    n_rows: int
    first: int
    example_ids: Any


def reader(store: Store) -> Read:
    """Reads the answers of a store's runs; a file that can't be read is none, and a ``HarnessWarning`` names it.

    A fingerprint covers the ids and the order of all examples, so they are read once for all runs that share it: that
    spares a third of the time. Targets are read of every run, because tags may be cut to what a base can read.
    """
    places: dict[tuple[str, str], Place | None] = {}

    def read(run: Record, split: str) -> Answers | None:
        path = f"{store.runs}/{run.run_id}/{PREDICTIONS}"
        try:
            table = read_columns(path, ["target", "prediction"])
            if table is None:
                return None
            key = run.data.fingerprint, split
            place = places.get(key) if run.data.fingerprint else None
            if place is None or place.n_rows != len(table):
                place = places[key] = find_split(path, split)
            return answers_at(path, place, table) if place else None
        except HarnessError as error:
            warnings.warn(f"predictions are left out: {error}", HarnessWarning, stacklevel=2)
            return None

    return read


def find_split(path: str, split: str) -> Place | None:
    """The place of a split in a file, where its rows follow each other; None where it has none.

    Raises:
        HarnessError: the file can't be read as predictions.
    """
    table = read_columns(path, ["split", "example_id"])
    splits = table["split"].to_pylist() if table else []
    if split not in splits:
        return None
    first, n = splits.index(split), splits.count(split)
    if splits[first : first + n] != [split] * n:
        raise unreadable(path, f"the rows of {split} do not follow each other")
    return Place(len(splits), first, table["example_id"].slice(first, n))


def answers_at(path: str, place: Place, table: Any) -> Answers:
    """The answers in a table of targets and predictions.

    Raises:
        HarnessError: they are nothing that a metric compares.
    """
    rows = table.slice(place.first, len(place.example_ids))
    targets, predictions = (_to_array(path, name, rows[name]) for name in ("target", "prediction"))
    if (kind := kind_of(targets)) != kind_of(predictions):
        raise unreadable(path, f"targets are {kind}, predictions {kind_of(predictions)}")
    return Answers(place.example_ids, targets, predictions)


def read_columns(path: str, names: list[str]) -> Any:
    """Columns of a predictions file as an Arrow table, or None where there is no file.

    Raises:
        HarnessError: the file can't be read as predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A buffer and one thread: files are small, and this reads one in half the time.
        with open(path, "rb", buffering=0) as file:
            table = pq.ParquetFile(pa.BufferReader(file.readall())).read(columns=names, use_threads=False)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, one_line(error)) from None
    if sorted(table.column_names) != sorted(names):
        raise unreadable(path, f"it has not one column each of {', '.join(names)}")
    return table


def unreadable(path: str, problem: str) -> HarnessError:
    """The error for a file that is no predictions."""
    return HarnessError(f"{path} is not readable ({problem}); delete its folder and run it again")


def _to_array(path: str, name: str, column: Any) -> Array:
    """Labels, numbers, texts, or sequences of labels.

    Raises:
        HarnessError: other values, or missing ones.
    """
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        raise unreadable(path, f"{column.null_count} values of {name} are missing")
    if pa.types.is_integer(kind):
        return np.from_dlpack(column.combine_chunks())  # to_numpy would import pandas first, in a third of a second
    if (
        pa.types.is_list(kind)
        and pa.types.is_integer(kind.value_type)
        and not column.combine_chunks().flatten().null_count
    ):
        values = np.empty(len(column), dtype=object)
        values[:] = [tuple(value) for value in column.to_pylist()]
        return values
    if pa.types.is_floating(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.asarray(column.to_numpy())
    raise unreadable(path, f"{name} is of type {kind}")


def kind_of(values: Array) -> AnswerKind:
    """What an array of answers holds."""
    if values.dtype.kind != "O":
        return "numbers"
    return "sequences" if len(values) and isinstance(values[0], tuple) else "texts"


def stack(answers: Sequence[Answers]) -> Array:
    """Predictions of several runs on the same examples, shape (runs, N)."""
    return np.stack([run.predictions for run in answers])
