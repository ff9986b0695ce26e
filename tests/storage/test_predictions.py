"""Answers as they are read from predictions.parquet."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessWarning
from harness.storage.predictions import reader
from harness.storage.record import Record
from harness.storage.store import Store
from tests.synthetic import make_record, write_run


def write(results: Path, method: str, columns: dict[str, Any] | None, fingerprint: str = "same") -> Record:
    record = make_record(method, data={"fingerprint": fingerprint})
    write_run(results, record, columns)
    return Record.model_validate(record)


def columns(n_validation: int, targets: list[Any], predictions: list[Any]) -> dict[str, Any]:
    n_test = len(targets)
    return {
        "split": ["validation"] * n_validation + ["test"] * n_test,
        "example_id": [f"v{i}" for i in range(n_validation)] + [f"t{i}" for i in range(n_test)],
        "target": targets[:1] * n_validation + targets,
        "prediction": predictions[:1] * n_validation + predictions,
    }


@pytest.mark.parametrize("fingerprint", ["same", ""])
def test_each_run_has_its_own_answers_to_the_split(tmp_path: Path, fingerprint: str) -> None:
    read = reader(Store(tmp_path))
    for method, n_validation, predictions in (("a", 2, [0, 1, 1]), ("b", 2, [1, 1, 0]), ("c", 4, [0, 0, 0])):
        run = write(tmp_path, method, columns(n_validation, [0, 1, 0], predictions), fingerprint)
        test, validation = read(run, "test"), read(run, "validation")
        assert test is not None
        assert validation is not None
        assert test.example_ids.to_pylist() == ["t0", "t1", "t2"]
        assert (test.targets.tolist(), test.predictions.tolist()) == ([0, 1, 0], predictions)
        assert len(validation.example_ids) == len(validation.targets) == n_validation


@pytest.mark.parametrize(
    ("targets", "kind"), [([0, 1], "i"), ([0.5, 1.5], "f"), (["x", "y"], "O"), ([[1], [0, 0]], "O")]
)
def test_values_of_every_kind(tmp_path: Path, targets: list[Any], kind: str) -> None:
    found = reader(Store(tmp_path))(write(tmp_path, "a", columns(1, targets, targets)), "test")
    assert found is not None
    assert found.targets.dtype.kind == kind
    assert [list(v) if isinstance(v, tuple) else v for v in found.targets] == targets
    assert np.array_equal(found.targets, found.predictions)


def test_no_file_and_no_such_split_give_none(tmp_path: Path) -> None:
    read = reader(Store(tmp_path))
    assert read(write(tmp_path, "a", None), "test") is None
    only_validation = {name: values[:2] for name, values in columns(2, [1], [1]).items()}
    assert read(write(tmp_path, "b", only_validation), "test") is None
    assert read(write(tmp_path, "c", columns(2, [1], [1])), "test") is not None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = write(tmp_path, "a", columns(1, [1], [1]))
    path = tmp_path / "runs" / run.run_id / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(HarnessWarning, match=f"{run.run_id}/predictions.parquet is not readable"):
        assert reader(Store(tmp_path))(run, "test") is None
