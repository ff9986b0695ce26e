"""Tests of other tasks: asked with this task's prompts, in the other's labels, leakage reported."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import data
from harness.core.spec import TaskSpec
from harness.data import out_of_domain
from harness.data.tasks import find_task
from harness.runs.run import run
from harness.task import TASKS
from tests.conftest import MakeSpec
from tests.hub_schema import SCHEMAS, write_mirror, write_split

WITH_OTHERS = [name for name in TASKS.names() if find_task(name).also_test]


@pytest.fixture(autouse=True)
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "mirror"))
    return write_mirror(tmp_path / "mirror")


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_every_template_can_ask_the_other_test(name: str) -> None:
    task = find_task(name)
    found = list(out_of_domain.read(task, TaskSpec(name=name, test_limit=7), 0))
    assert [other.name for other in found] == list(task.also_test)
    for other in found:
        expected, _ = data.load(find_task(other.name), TaskSpec(name=other.name, test_limit=7), 0)
        assert [(e.id, e.target) for e in other.examples] == [(e.id, e.target) for e in expected.test]
        for example, original in zip(other.examples, expected.test, strict=True):
            theirs = find_task(other.name).text
            assert [example.fields[c] for c in task.text] == [original.fields[c] for c in theirs]
            assert all(template.format_map(example.fields) for template in task.templates)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_run_answers_in_the_labels_of_the_other_task(
    kind: str, mirror: Path, make_spec: MakeSpec, tmp_path: Path
) -> None:
    copy_into_test(mirror, n_copied=3)
    spec = make_spec(kind=kind, task={"name": "mnli", "path": None, "out_of_domain": True}, training={"max_steps": 1})
    record = run(spec, tmp_path)
    assert record.status == "ok", record.reason
    found = record.data.out_of_domain
    assert list(found) == ["mnli_mismatched", "rte"]
    assert (found["rte"]["size"], found["rte"]["overlap"], found["mnli_mismatched"]["overlap"]) == (40, 3, 0)
    answers = pq.read_table(tmp_path / "runs" / record.run_id / "predictions.parquet").to_pylist()
    rte = [row for row in answers if row["split"] == "rte"]
    assert len(rte) == 40
    for row in rte:
        scores = [row["score_0"], row["score_1"], row["score_2"]]
        assert row["prediction"] == (0 if scores.index(max(scores)) == 0 else 1)
    accuracy = sum(row["prediction"] == row["target"] for row in rte) / 40
    assert record.metrics["rte/accuracy"] == pytest.approx(accuracy)


def copy_into_test(mirror: Path, n_copied: int) -> None:
    """Put pairs of MNLI's training set into RTE's test, in RTE's columns and in capitals."""
    copied = [
        {"sentence1": row["premise"].upper(), "sentence2": row["hypothesis"].upper()}
        for row in train_rows(mirror)[:n_copied]
    ]
    file = mirror / "nyu-mll" / "glue" / "rte" / "validation.parquet"
    rows = [row | new for row, new in zip(pq.read_table(file).to_pylist(), copied, strict=False)]
    write_split(file, rows + pq.read_table(file).to_pylist()[n_copied:], SCHEMAS["nyu-mll/glue", "rte"])


def train_rows(mirror: Path) -> list[dict[str, str]]:
    """MNLI's training rows that stay in train: the validation is carved from the others."""
    splits, _ = data.load(find_task("mnli"), TaskSpec(name="mnli"), 0)
    return [dict(example.fields) for example in splits.train]
