"""Values of examples that probes measured: how measured.parquet is written and read."""

from collections.abc import Mapping
from pathlib import Path

MEASURED = "measured.parquet"


def write_examples(values: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Write a row for each quantity and example: quantity, example_id, value; no file where there is none."""
    rows = [(name, example, value) for name, of_examples in values.items() for example, value in of_examples.items()]
    if not rows:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = zip(*rows, strict=True)
    pq.write_table(pa.table(dict(zip(("quantity", "example_id", "value"), columns, strict=True))), path)


def read_examples(path: Path, quantity: str) -> dict[str, float]:
    """Value of each example by its id; empty where none is stored."""
    if not path.exists():
        return {}
    import pyarrow.parquet as pq

    rows = pq.read_table(path, filters=[("quantity", "==", quantity)]).to_pylist()
    return {row["example_id"]: row["value"] for row in rows}
