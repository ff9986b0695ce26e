"""Metrics applied to runs that were not judged by them, and metrics where lower is better."""

from pathlib import Path

import pytest

from harness.cells.applied import with_metric
from harness.cells.cells import make_layout
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.tables.render import to_markdown
from harness.tables.spec import TableSpec
from harness.tables.table import make_table
from tests.judging import compute
from tests.synthetic import make_record, write_run

TARGETS = [float(n % 6) for n in range(40)]
ERRORS = {"full": 0.5, "lora": 2.0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two methods on a task of numbers, judged by their correlation; lora is far off, but by the same every time."""
    for method, error in ERRORS.items():
        for seed in range(3):
            predictions = [t + error * (1 + 0.01 * seed) for t in TARGETS]
            metrics = {"test/pearson": compute("pearson", TARGETS, predictions)}
            record = make_record(method, seed=seed, primary_metric="pearson", metrics=metrics, metrics_last=metrics)
            columns = {
                "split": ["test"] * len(TARGETS),
                "example_id": [str(n) for n in range(len(TARGETS))],
                "target": TARGETS,
                "prediction": predictions,
            }
            write_run(tmp_path, record | {"task": {"kind": "regression"}}, columns)
    return tmp_path


def test_a_table_of_errors_is_computed_and_the_lowest_is_best(results: Path) -> None:
    store, measure = Store(results), Measure("mae")
    before = [path.read_bytes() for path in sorted(results.rglob("record.json"))]
    records = with_metric(list(store.records()), measure, reader(store))
    text = to_markdown(make_table(records, make_layout(records), TableSpec(metric="mae"), reader(store)))
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert "(mae ↓)" in lines["method"]
    assert "**0.505 ± 0.0124 (3)** ★" in lines["full"]
    assert "2.02 ± 0.0497 (3)" in lines["lora"]
    assert "**" not in lines["lora"]
    assert "which are the lowest mean" in text
    assert "mae: in the unit of the target" in text
    assert before == [path.read_bytes() for path in sorted(results.rglob("record.json"))]


@pytest.mark.parametrize(
    ("metric", "reason"),
    [("bleu", "bleu judges generation, not regression"), ("pearsn", r"did you mean 'pearson'")],
)
def test_a_metric_that_judges_none_of_the_runs(results: Path, metric: str, reason: str) -> None:
    store = Store(results)
    with pytest.raises(SpecError, match=reason):
        with_metric(list(store.records()), Measure(metric), reader(store))


def test_runs_without_predictions_are_named(results: Path) -> None:
    for path in results.rglob("predictions.parquet"):
        path.unlink()
    store = Store(results)
    with pytest.raises(SpecError, match="no predictions of test are stored"):
        with_metric(list(store.records()), Measure("rmse"), reader(store))
