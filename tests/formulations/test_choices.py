"""Encoders on multiple choice and on pairs: against one forward pass per text."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from harness.core.errors import SpecError
from harness.formulation import BoundFormulation
from harness.runs.predict import predict
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.record import Record
from harness.task import Example
from tests.conftest import MakeSpec
from tests.ready import ready
from tests.representatives import REPRESENTATIVES

QUESTIONS = [
    Example("0", {"question": "is the film good"}, 1, ("very", "the plot is a great one", "bad")),
    Example("1", {"question": "one cast"}, 0, ("dull", "fine film")),
]
PAIRS = [
    Example("0", {"sentence1": "the film is good", "sentence2": "the film is good"}, 5.0),
    Example("1", {"sentence1": "a dull plot", "sentence2": "great !"}, 1.0),
]


@pytest.fixture
def embedder(snapshots: dict[str, Path], tmp_path: Path) -> str:
    """The tiny encoder, as a checkpoint that sentence-transformers wrote."""
    shutil.copytree(snapshots["encoder"], tmp_path / "embedder")
    (tmp_path / "embedder" / "modules.json").write_text("[]")
    return str(tmp_path / "embedder")


def formulation(make_spec: MakeSpec, method: str, task: str, base: str, name: str | None = None) -> BoundFormulation:
    return ready(
        make_spec(method, base={"name": base}, task={"name": task, "path": None}, formulation=name)
    ).formulation


@torch.no_grad()
def test_a_head_scores_each_choice(make_spec: MakeSpec, embedder: str) -> None:
    found = formulation(make_spec, "full", "openbookqa", embedder)
    questions = [replace(e, fields={"question_stem": e.fields["question"]}) for e in QUESTIONS]
    model, tokenizer = found.base.model.eval(), found.tokenizer
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]  # as BERT's own has them
    rows = found.encode(questions)
    answers = predict(model, found, rows)
    losses = []
    for question, answer in zip(questions, answers, strict=True):
        pairs = [tokenizer(question.fields["question_stem"], c, return_tensors="pt") for c in question.choices]
        logits = torch.tensor([float(model(**pair).logits) for pair in pairs])
        assert answer.scores == pytest.approx(logits.tolist(), abs=1e-5)
        assert answer.prediction == int(logits.argmax())
        losses.append(float(-torch.log_softmax(logits, 0)[int(str(question.target))]))
    batch = found.collate(rows, torch.device("cpu"))
    assert float(found.losses(model, batch).mean()) == pytest.approx(sum(losses) / 2, abs=1e-5)
    assert 1 in batch.inputs["token_type_ids"]


def embed(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """The mean of the last hidden states of one text."""
    return model(input_ids=ids).last_hidden_state[0].mean(0)


@torch.no_grad()
def test_similarity_of_choices_and_of_pairs(make_spec: MakeSpec, embedder: str) -> None:
    choosing, comparing = (formulation(make_spec, "zero_shot", name, embedder) for name in ("openbookqa", "stsb"))
    model = choosing.base.model.eval()

    def cosine(one: str, other: str) -> float:
        vectors = [embed(model, choosing.tokenizer(text, return_tensors="pt")["input_ids"]) for text in (one, other)]
        return float(torch.cosine_similarity(*vectors, dim=0))

    questions = [replace(e, fields={"question_stem": e.fields["question"]}) for e in QUESTIONS]
    for question, answer in zip(questions, predict(model, choosing, choosing.encode(questions)), strict=True):
        expected = [cosine(question.fields["question_stem"], choice) for choice in question.choices]
        assert answer.scores == pytest.approx(expected, abs=1e-5)
        assert answer.prediction == expected.index(max(expected))
    answers = predict(model, comparing, comparing.encode(PAIRS))
    expected = [5 * cosine(pair.fields["sentence1"], pair.fields["sentence2"]) for pair in PAIRS]
    assert [answer.prediction for answer in answers] == pytest.approx(expected, abs=1e-4)
    assert answers[0].prediction == pytest.approx(5.0)


@torch.no_grad()
def test_likeness_that_is_learned(make_spec: MakeSpec, embedder: str) -> None:
    """Of labels and of numbers, against sentence-transformers's CosineSimilarityLoss worked by hand."""
    of_labels, of_numbers = (formulation(make_spec, "lora", name, embedder, "similarity") for name in ("rte", "stsb"))
    model = of_labels.base.model.eval()
    labelled = [replace(pair, target=target) for pair, target in zip(PAIRS, (0, 1), strict=True)]
    vectors = [
        [embed(model, of_labels.tokenizer(text, return_tensors="pt")["input_ids"]) for text in pair.fields.values()]
        for pair in PAIRS
    ]
    cosines = [float(torch.cosine_similarity(*pair, dim=0)) for pair in vectors]
    for found, pairs, goals in ((of_labels, labelled, (1.0, 0.0)), (of_numbers, PAIRS, (1.0, 0.2))):
        batch = found.collate(found.encode(pairs), torch.device("cpu"))
        squares = [(cosine - goal) ** 2 for cosine, goal in zip(cosines, goals, strict=True)]
        assert float(found.losses(found.base.model, batch).mean()) == pytest.approx(sum(squares) / 2, abs=1e-5)
    answers = predict(model, of_labels, of_labels.encode(labelled))
    assert [answer.prediction for answer in answers] == [int(cosine < 0.5) for cosine in cosines]
    assert [answer.scores for answer in answers] == [pytest.approx((c - 1, -abs(c)), abs=1e-5) for c in cosines]


def test_similarity_trains_likeness_alone(make_spec: MakeSpec, embedder: str) -> None:
    def reason(task: str, name: str = "similarity") -> str | None:
        spec = make_spec(base={"name": embedder}, task={"name": task, "path": None}, formulation=name)
        return resolve(spec).skip_reason()

    assert reason("rte") is reason("stsb") is None
    for task in ("sst2", "openbookqa", "qnli"):
        assert "trains nothing but the likeness" in str(reason(task))
    assert "mask trains nothing" in str(reason("rte", "mask"))


@pytest.fixture
def likeness(make_spec: MakeSpec, embedder: str, tmp_path: Path) -> Callable[..., Record]:
    """A run on pairs that are alike where they are equal."""
    texts = ["the film is good", "a dull plot", "great !", "one cast", "bad", "fine film"]
    pairs = [{"sentence1": a, "sentence2": b, "label": int(a != b)} for a in texts for b in (a, *texts)]
    (tmp_path / "pairs").mkdir()
    for index, split in enumerate(("train", "validation")):
        rows = [{**pair, "sentence1": pair["sentence1"] + " ." * index} for pair in pairs]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pairs" / f"{split}.parquet")
    task = {"name": "rte", "path": str(tmp_path / "pairs")}

    def train(method: str, **training: float) -> Record:
        spec = make_spec(method, base={"name": embedder}, task=task, formulation="similarity", training=training)
        return run(spec, tmp_path)

    return train


@pytest.mark.parametrize("method", ["linear_probe", *REPRESENTATIVES])
def test_a_method_of_every_family_trains_likeness(method: str, likeness: Callable[..., Record]) -> None:
    record = likeness(method, max_steps=4)
    assert record.status == ("skipped" if method == "linear_probe" else "ok"), record.reason
    assert record.params.head == 0


def test_likeness_is_learned(likeness: Callable[..., Record]) -> None:
    losses = [point["train_loss"] for point in likeness("full", epochs=12, learning_rate=3e-3).curve]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("task", "formulation_name"),
    [("sst2", "generation"), ("stsb", "likelihood"), ("wnut17", "head"), ("piqa", "mask"), ("gsm8k", "likelihood")],
)
def test_a_formulation_that_cannot_answer_is_an_error(task: str, formulation_name: str, make_spec: MakeSpec) -> None:
    with pytest.raises(SpecError, match=r"formulation of a \w+ task must be one of"):
        resolve(make_spec(task={"name": task}, formulation=formulation_name))
