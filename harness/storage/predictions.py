"""Answers to the test examples: how predictions.parquet is written and read, aligned between runs."""

import hashlib
import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, HarnessWarning, SpecError
from harness.core.info import TaskKind
from harness.storage.files import one_line
from harness.storage.record import Record
from harness.storage.store import Store

Array = NDArray[Any]

PREDICTIONS = "predictions.parquet"

SCORE = "score_"
"""How the columns of scores begin; the label's or the choice's number follows."""

AnswerKind = Literal["numbers", "sequences", "texts"]
"""Labels are numbers too, and tags are sequences of them."""

ANSWER_KINDS: dict[TaskKind, AnswerKind] = {
    "classification": "numbers",
    "multiple_choice": "numbers",
    "regression": "numbers",
    "token_classification": "sequences",
    "generation": "texts",
}
"""What is stored of the answers to a kind of task."""

AnswerPart = Literal["scores", "texts"]
"""What a metric may read beside targets and predictions."""


@dataclass(frozen=True)
class Answers:
    """One run's answers to one split, in the order of the file.

    Ids are an Arrow column. Targets and predictions have shape (N,): labels are int64, numbers float64; texts and
    tuples of tags are objects. ``scores`` have shape (N, labels or choices), higher is likelier, NaN where an example
    has fewer choices; ``texts`` (N,) are what the model wrote. Either is None where it isn't known or wasn't asked for.
    """

    example_ids: Any
    targets: Array
    predictions: Array
    scores: Array | None = None
    texts: Array | None = None

    @classmethod
    def of(
        cls,
        targets: Sequence[Any],
        predictions: Sequence[Any],
        example_ids: Sequence[str] | None = None,
        scores: Sequence[Sequence[float]] | None = None,
        texts: Sequence[str | None] | None = None,
    ) -> "Answers":
        """Answers from plain values; examples without ids are numbered.

        Raises:
            SpecError: not as many predictions as targets.
        """
        import pyarrow as pa

        if len(targets) != len(predictions):
            raise SpecError(f"a metric needs as many predictions as targets; got {len(predictions)} for {len(targets)}")
        return cls(
            pa.array([str(place) for place in range(len(targets))] if example_ids is None else example_ids),
            _array(targets),
            _array(predictions),
            None if scores is None else _padded(scores),
            None if texts is None else _objects(texts),
        )

    def same_examples(self, other: "Answers") -> bool:
        """Whether both answer the same questions, in the same order, with the same targets."""
        return bool(self.example_ids.equals(other.example_ids)) and np.array_equal(self.targets, other.targets)

    @property
    def n_bytes(self) -> int:
        """Of the arrays; what a text or a tuple of tags takes is taken to be 100 bytes."""
        arrays = [values for values in (self.targets, self.predictions, self.scores, self.texts) if values is not None]
        return sum(values.nbytes + 100 * values.size * (values.dtype.kind == "O") for values in arrays)

    def at(self, places: NDArray[np.integer]) -> "Answers":
        """Those at some places, which may be named more than once."""
        scores, texts = (None if values is None else values[places] for values in (self.scores, self.texts))
        return Answers(self.example_ids.take(places), self.targets[places], self.predictions[places], scores, texts)


def _array(values: Sequence[Any]) -> Array:
    return _objects(values) if len(values) and isinstance(values[0], str | Sequence) else np.asarray(values)


def _objects(values: Sequence[Any]) -> Array:
    made = np.empty(len(values), dtype=object)
    made[:] = [tuple(value) if isinstance(value, list) else value for value in values]
    return made


def _padded(scores: Sequence[Sequence[float]]) -> Array:
    """Rows of equal length, filled up with NaN."""
    made = np.full((len(scores), max(map(len, scores), default=0)), np.nan)
    for row, values in zip(made, scores, strict=True):
        row[: len(values)] = values
    return made


def write_predictions(answers: Mapping[str, Answers], path: Path) -> None:
    """Write predictions.parquet: the splits follow each other, rows in the order of the examples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [pa.table(_columns(split, one)) for split, one in answers.items()]
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), path)


def _columns(split: str, answers: Answers) -> dict[str, Any]:
    n = len(answers.targets)
    # Numbers are near or far, not right or wrong.
    is_exact = answers.targets.dtype.kind != "f"
    correct = [p == t for p, t in zip(answers.predictions, answers.targets, strict=True)] if is_exact else [None] * n
    columns = {
        "split": [split] * n,
        "example_id": answers.example_ids,
        "target": answers.targets.tolist(),
        "prediction": answers.predictions.tolist(),
        "correct": [None if one is None else bool(one) for one in correct],
    }
    for label, column in enumerate([] if answers.scores is None else answers.scores.T):
        columns[f"{SCORE}{label}"] = [None if math.isnan(score) else score for score in column.tolist()]
    return columns if answers.texts is None else columns | {"text": answers.texts.tolist()}


KEPT_BYTES = 200_000_000
"""Answers that a reader keeps."""

Read = Callable[[Record, str], Answers | None]
"""A run's answers to a split, or None where it has none."""


@dataclass(frozen=True)
class Place:
    """Where a predictions file of ``n_rows`` has the examples of a split, and their ids."""

    n_rows: int
    first: int
    example_ids: Any


def reader(store: Store, needs: Collection[AnswerPart] = ()) -> Read:
    """Reads the answers of a store's runs; a file that can't be read is none, and a ``HarnessWarning`` names it.

    Scores and texts are read only where they are needed, and are None where the file has none.

    A fingerprint covers the ids and the order of all examples, so they are read once for all runs that share it: that
    spares a third of the time. Targets are read of every run, because tags may be cut to what a base can read. What was
    read is kept, up to ``KEPT_BYTES``: a page asks for every run's answers three times.
    """
    places: dict[tuple[str, str], Place | None] = {}
    kept: dict[tuple[str, str], Answers | None] = {}
    n_bytes = 0

    def read(run: Record, split: str) -> Answers | None:
        nonlocal n_bytes
        asked = run.run_id, split
        if asked in kept:
            return kept[asked]
        found = of_file(run, split)
        size = 0 if found is None else found.n_bytes
        if n_bytes + size <= KEPT_BYTES:
            n_bytes += size
            kept[asked] = found
        return found

    def of_file(run: Record, split: str) -> Answers | None:
        path = f"{store.runs}/{run.run_id}/{PREDICTIONS}"
        try:
            stored = run.files.get(PREDICTIONS)
            table = read_columns(path, ["target", "prediction"], needs, stored.sha256 if stored else "")
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


def read_answers(path: str, split: str, needs: Collection[AnswerPart] = ()) -> Answers | None:
    """The answers to a split in one file, or None where it has none.

    Raises:
        HarnessError: the file can't be read as predictions.
    """
    table = read_columns(path, ["target", "prediction"], needs)
    place = find_split(path, split) if table is not None else None
    return answers_at(path, place, table) if place else None


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
    numbers = sorted(int(name.removeprefix(SCORE)) for name in rows.column_names if name.startswith(SCORE))
    scores = np.stack([rows[f"{SCORE}{n}"].to_numpy().astype(float) for n in numbers], axis=1) if numbers else None
    texts = _objects(rows["text"].to_pylist()) if "text" in rows.column_names else None
    return Answers(place.example_ids, targets, predictions, scores, texts)


def read_columns(path: str, names: list[str], needs: Collection[AnswerPart] = (), sha256: str = "") -> Any:
    """Columns of a predictions file, and those of some needs that it has, as an Arrow table; None without a file.

    Raises:
        HarnessError: the file can't be read as predictions, or has another checksum than the one given.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A buffer and one thread: files are small, and this reads one in half the time.
        with open(path, "rb", buffering=0) as file:
            content = file.readall()
        # Arrow reads many a damaged page without a word.
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise unreadable(path, "it is not what the run stored: its checksum differs")
        found = pq.ParquetFile(pa.BufferReader(content))
        wanted = [*names, *filter(partial(_is_needed, needs), found.schema_arrow.names if needs else [])]
        table = found.read(columns=wanted, use_threads=False)
        table.validate(full=True)  # texts that are no UTF-8 would else be found where they are used
        is_whole = sorted(table.column_names) == sorted(wanted)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: a column's name
        raise unreadable(path, one_line(error)) from None
    if not is_whole:
        raise unreadable(path, f"it has not one column each of {', '.join(names)}")
    return table


def _is_needed(needs: Collection[AnswerPart], column: str) -> bool:
    is_score = column.startswith(SCORE) and column.removeprefix(SCORE).isdecimal()
    return ("scores" in needs and is_score) or ("texts" in needs and column == "text")


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
        return _objects(column.to_pylist())
    if pa.types.is_floating(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.asarray(column.to_numpy())
    raise unreadable(path, f"{name} is of type {kind}")


def kind_of(values: Array) -> AnswerKind:
    """What an array of answers holds."""
    if values.dtype.kind != "O":
        return "numbers"
    return "sequences" if len(values) and isinstance(values[0], tuple) else "texts"
