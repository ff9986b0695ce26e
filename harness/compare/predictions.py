"""Answers to the test examples, as predictions.parquet holds them, aligned between runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.record import Record
from harness.store import Store

Array = NDArray[Any]


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


def reader(store: Store) -> Read:
    """Reads the answers of a store's runs."""
    return lambda run, split: read_answers(store.folder(run.run_id), split)


def read_answers(folder: Path, split: str) -> Answers | None:
    """The answers of a run's folder, or None where it has no predictions of that split.

    Raises:
        HarnessError: the file can't be read as predictions.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = folder / "predictions.parquet"
    try:
        # A buffer and one thread: files are small, and this reads one in half the time.
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()))
        table = file.read(columns=["split", "example_id", "target", "prediction"], use_threads=False)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        raise HarnessError(f"{path} is not readable ({error}); delete its folder and run it again") from None
    found = table.filter(pc.equal(table["split"], split))
    return (
        Answers(found["example_id"], _to_array(found["target"]), _to_array(found["prediction"])) if len(found) else None
    )


def _to_array(column: Any) -> Array:
    import pyarrow as pa

    if pa.types.is_list(column.type):
        values = np.empty(len(column), dtype=object)
        values[:] = [tuple(value) for value in column.to_pylist()]
        return values
    return np.asarray(column.to_numpy())


def stack(answers: Sequence[Answers]) -> Array:
    """Predictions of several runs on the same examples, shape (runs, N)."""
    return np.stack([run.predictions for run in answers])
