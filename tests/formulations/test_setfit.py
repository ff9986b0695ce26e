"""SetFit: its pairs, its loss and its classifier by hand, and a run from training to new texts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from harness.formulation import BoundFormulation
from harness.runs.export import predict_texts
from harness.runs.predict import predict
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.task import Example
from tests.conftest import MakeSpec
from tests.ready import ready

TEXTS = ("the film is good", "a dull plot", "great", "one bad cast with the film", "fine", "awful")
TRAIN = [Example(str(n), {"sentence": text}, (n + 1) % 2) for n, text in enumerate(TEXTS)]


@pytest.fixture
def setfit(make_spec: MakeSpec) -> BoundFormulation:
    made = ready(make_spec("full", formulation="setfit", training={"precision": "fp32"})).formulation
    made.base.model.eval()
    made.prepare(made.base.model, TRAIN)
    return made


def embedded(model: nn.Module, ids: list[int]) -> Tensor:
    """One text by itself."""
    hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
    return hidden / hidden.norm()


@torch.no_grad()
def test_pairs_and_their_loss_by_hand(setfit: BoundFormulation) -> None:
    model, rows = setfit.base.model, setfit.encode_training(TRAIN)
    known = {tuple(row.sequences[0]): row.example.target for row in setfit.encode(TRAIN)}
    for row in rows:
        labels = [known[tuple(sequence)] for sequence in row.sequences]
        assert labels[0] == row.example.target
        assert row.targets == tuple(int(label == labels[0]) for label in labels[1:]) == (1, 1, 0, 0)
    assert [row.sequences for row in setfit.encode_training(TRAIN)] == [row.sequences for row in rows]
    losses = setfit.losses(model, setfit.collate(rows, torch.device("cpu")))
    for row, loss in zip(rows, losses, strict=True):
        first, *others = (embedded(model, sequence) for sequence in row.sequences)
        errors = [(first @ other - target) ** 2 for other, target in zip(others, row.targets, strict=True)]
        assert float(loss) == pytest.approx(float(sum(errors)) / 4, abs=1e-5)


@torch.no_grad()
def test_the_classifier_is_scikit_learns(setfit: BoundFormulation) -> None:
    model, rows = setfit.base.model, setfit.encode(TRAIN)
    vectors = np.stack([embedded(model, row.sequences[0]).numpy() for row in rows])
    fitted = LogisticRegression(max_iter=1000).fit(vectors, [row.example.target for row in rows])
    answers = predict(model, setfit, rows)
    expected = fitted.predict_log_proba(vectors)
    np.testing.assert_allclose([answer.scores for answer in answers], expected, atol=1e-4)
    assert [answer.prediction for answer in answers] == fitted.predict(vectors).tolist()


def test_labels_without_an_example_are_never_answered(setfit: BoundFormulation) -> None:
    model = setfit.base.model
    setfit.prepare(model, [example for example in TRAIN if example.target])
    assert {answer.prediction for answer in predict(model, setfit, setfit.encode(TRAIN))} == {1}


def test_a_run_from_pairs_to_new_texts(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("full", formulation="setfit", training={"epochs": 8, "learning_rate": 3e-3})
    record = run(spec, tmp_path)
    assert record.status == "ok", record.reason
    assert record.metrics["test/accuracy"] > 0.9
    assert record.params.head == 0
    assert record.curve[-1]["train_loss"] < record.curve[0]["train_loss"]
    answers = predict_texts(record.run_id, ["the film is superb", "the film is awful"], tmp_path)
    assert answers[0]["prediction"] != answers[1]["prediction"]


def test_it_needs_a_method_that_trains(make_spec: MakeSpec) -> None:
    assert "no way to answer without training" in str(
        resolve(make_spec("zero_shot", formulation="setfit")).skip_reason()
    )
