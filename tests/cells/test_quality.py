"""Facts of examples counted by hand, and planted wrong labels that are found."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cells.quality import facts, suspects
from harness.cli.app import app
from harness.runs.run import run
from harness.task import TASKS, Example, Splits
from tests.conftest import MakeSpec

SST2 = TASKS.find("sst2")


def example(name: str, text: str, target: int) -> Example:
    return Example(name, {"sentence": text}, target)


def test_facts_by_hand() -> None:
    train = [example("0", "A film.", 0), example("1", "a FILM", 1), example("2", "one more good film", 1)]
    test = [example("3", "one more, good film!", 1), example("4", "another", 1)]
    found = facts(SST2, Splits(train, test[1:], test))
    assert found["train"].shares == {"negative": 1 / 3, "positive": 2 / 3}
    assert (found["train"].words_median, found["train"].in_train, found["train"].contradictions) == (2, 0, 2)
    assert (found["test"].size, found["test"].in_train, found["test"].contradictions) == (2, 1, 0)


def test_confident_learning_by_hand() -> None:
    """Thresholds are the means 0.7 and 0.6 of the labels' own examples."""
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.65, 0.35], [0.15, 0.85]])
    targets = np.array([0, 0, 0, 1, 1])
    labels, suspicion = suspects(probabilities, targets)
    assert labels.tolist() == [0, 0, 1, 1, 1]
    assert suspicion == pytest.approx([0, 0, 0.2, 0, 0])


def test_planted_wrong_labels_are_found() -> None:
    """Of labels drawn by a model's own probabilities, those turned round afterwards, and few others."""
    rng = np.random.default_rng(0)
    positive = 1 / (1 + np.exp(-rng.normal(0, 4, 1000)))
    targets = (rng.random(1000) < positive).astype(int)
    turned = rng.random(1000) < 0.1
    given = np.where(turned, 1 - targets, targets)
    labels, suspicion = suspects(np.stack([1 - positive, positive], axis=1), given)
    found = labels != given
    assert (found & turned).sum() / turned.sum() > 0.5
    top = np.argsort(-suspicion)[:50]
    assert turned[top].mean() > 0.8  # the others drew an unlikely label by chance


def test_the_command_tells_of_examples_and_runs(make_spec: MakeSpec, tmp_path: Path) -> None:
    lines = [f"film {n} is {'good' if n % 2 else 'bad'},{'good' if n % 2 else 'bad'}" for n in range(80)]
    path = tmp_path / "films.csv"
    path.write_text("text,verdict\n" + "\n".join(lines))
    name = f"{path}?text=text&target=verdict"
    command = ["data", name, "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("train", "validation", "test"))]
    assert sum(int(row[1]) for row in rows) == 80
    for row in rows:
        bad, good = float(row[3]), float(row[6])
        assert bad + good == pytest.approx(100)
    assert "no stored run answered these examples" in done.stdout
    spec: Any = make_spec("last_layers", task={"name": name, "path": None}, training={"epochs": 1})
    record = run(spec, tmp_path / "results")
    assert record.status == "ok"
    told = CliRunner().invoke(app, command).stdout
    n = record.data.sizes["test"] + record.data.sizes["validation"]
    assert f"of {n} held-out examples are missed by all 1 methods" in told
