"""A merged checkpoint, loaded by transformers alone, gives the run's answers in the task's own terms."""

import random
from pathlib import Path
from typing import Any

import pytest
from transformers import pipeline

from harness.core.errors import SpecError
from harness.runs.export import export_run, predict_texts
from harness.runs.run import run
from harness.storage.record import Record
from harness.testing.snapshots import BAD, FILLER, GOOD
from tests.conftest import MakeSpec

TEXTS = ["the film is superb", "a dull plot and a poor cast"]


def predicted(record: Record, results: Path) -> list[dict[str, Any]]:
    return predict_texts(record.run_id, TEXTS, results)


def exported(record: Record, results: Path, task: str) -> Any:
    folder = export_run(record.run_id, results / "plain", results, merge=True)
    return pipeline(task, model=str(folder), device="cpu")


@pytest.fixture
def stars(tmp_path: Path) -> str:
    """A regression between 20 and 60."""
    generator, path = random.Random(0), tmp_path / "stars.csv"
    lines = [
        f"{' '.join(generator.choices(FILLER, k=6))} {generator.choice(words)} {i},{low + i % 10}"
        for i in range(60)
        for low, words in [((20, BAD), (50, GOOD))[i % 2]]
    ]
    path.write_text("text,stars\n" + "\n".join(lines))
    return f"{path}?text=text&target=stars&kind=regression"


@pytest.mark.parametrize("method", ["lora", "full", "last_layers"])
def test_labels_have_their_names(method: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec(method, training={"max_steps": 6, "learning_rate": 1e-2}), tmp_path)
    answers = exported(record, tmp_path, "text-classification")(TEXTS, top_k=None)
    for expected, answer in zip(predicted(record, tmp_path), answers, strict=True):
        assert answer[0]["label"] == expected["prediction"]
        assert {part["label"] for part in answer} == {"negative", "positive"} == set(expected["scores"])


@pytest.mark.parametrize("method", ["adalora", "full"])
def test_numbers_are_in_their_own_range(method: str, stars: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(method, training={"max_steps": 6}, task={"name": stars, "path": None})
    record = run(spec, tmp_path)
    answers = exported(record, tmp_path, "text-classification")(TEXTS)
    for expected, answer in zip(predicted(record, tmp_path), answers, strict=True):
        assert answer["label"] == "stars"
        assert answer["score"] == pytest.approx(expected["prediction"], rel=1e-4)
        assert answer["score"] > 1, "not in the 0..1 of training"


def test_a_head_without_a_bias_can_not_hold_the_range(stars: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    task = {"name": stars, "path": None}
    record = run(make_spec("lora", "decoder", formulation="head", task=task, training={"max_steps": 1}), tmp_path)
    with pytest.raises(SpecError, match="LlamaForSequenceClassification has no bias"):
        export_run(record.run_id, tmp_path / "plain", tmp_path, merge=True)
    assert not (tmp_path / "plain").exists()
