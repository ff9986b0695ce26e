"""Where a prompt ends and its answer begins: whatever the tokenizer adds, however long they are."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tokenizers import pre_tokenizers, processors
from torch import Tensor

from harness.core.errors import SpecError
from harness.core.info import TaskKind
from harness.data.tasks import find_task
from harness.formulation import BoundFormulation
from harness.formulations._generation import BoundGeneration
from harness.formulations._likelihood import BoundLikelihood
from harness.method import Scoring
from harness.runs.predict import predict
from harness.task import Example
from harness.testing.snapshots import WORDS
from tests.conftest import MakeSpec
from tests.ready import ready

CHOICES = (" very awful film", " great")
TEXT = Example("0", {"sentence": "the film is superb"}, 1)


def formulation(make_spec: MakeSpec, kind: str, adds: str = "", asks: TaskKind = "classification", **more: Any) -> Any:
    """A formulation over a tokenizer that adds special tokens, as ``[CLS] $A </s>`` says."""
    changes = {"kind": asks, "labels": (), "verbalizers": ()} if asks == "generation" else {"verbalizers": CHOICES}
    task = find_task("sst2").model_copy(update=changes)
    asked = "generation" if asks == "generation" else None
    made: BoundFormulation = ready(make_spec("zero_shot", kind, **more), task, asked).formulation
    if adds:
        special = [(word, WORDS.index(word)) for word in ("[CLS]", "[SEP]", "</s>")]
        made.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=adds, special_tokens=special
        )
    return made


PATTERNS = [("$A", "$A </s>"), ("[CLS] $A", "[CLS] $A [SEP]"), ("[CLS] [CLS] $A", "[CLS] [CLS] $A [SEP] </s>")]


@pytest.mark.parametrize(("plain", "ended"), PATTERNS)
@pytest.mark.parametrize("calibration", ["none", "contextual", "unconditional"])
def test_what_a_tokenizer_appends_is_not_scored(plain: str, ended: str, calibration: Any, make_spec: MakeSpec) -> None:
    scores = []
    for adds in (plain, ended):
        made: BoundLikelihood = formulation(make_spec, "decoder", adds)
        made.scoring = Scoring(calibration=calibration)
        (answer,) = predict(made.base.model, made, made.encode([TEXT]))
        loss = made.losses(made.base.model, made.collate(made.encode_training([TEXT]), torch.device("cpu"))).mean()
        scores.append([*answer.scores, loss.item()])
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[0][0] != pytest.approx(scores[0][1], abs=1e-3)


@pytest.mark.parametrize(("plain", "ended"), PATTERNS)
def test_what_a_tokenizer_appends_is_not_continued(plain: str, ended: str, make_spec: MakeSpec) -> None:
    rows = []
    for adds in (plain, ended):
        made: BoundGeneration = formulation(make_spec, "decoder", adds, "generation")
        asked = [replace(TEXT, target="good film")]
        rows.append([*made.encode(asked), *made.encode_training(asked)])
    assert rows[0] == rows[1]
    assert rows[0][1].spans[0].token_ids[-1] == made.tokenizer.eos_token_id


@torch.no_grad()
def by_hand(made: BoundLikelihood, prompt: list[int], answer: list[int]) -> float:
    model: Any = made.base.model
    logits: Tensor = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return sum(float(logits[len(prompt) + n - 1, token]) for n, token in enumerate(answer))


def test_all_choices_follow_the_same_end_of_a_long_prompt(make_spec: MakeSpec) -> None:
    made: BoundLikelihood = formulation(make_spec, "decoder", base={"max_length": 8})
    (answer,) = predict(made.base.model, made, made.encode([TEXT]))
    assert made.n_truncated == 1
    prompt = made.tokenizer(made.prompts.prompt(TEXT))["input_ids"][-6:]  # the longest choice has three tokens
    expected = [by_hand(made, prompt, made.tokenizer(choice)["input_ids"]) for choice in CHOICES]
    assert answer.scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_a_choice_without_room_is_an_error(kind: str, make_spec: MakeSpec) -> None:
    made: BoundLikelihood = formulation(make_spec, kind, base={"max_length": 8})
    made.task = made.prompts.task = made.task.model_copy(update={"verbalizers": (" good", " film" * 9)})
    with pytest.raises(SpecError, match=r"answer of (9|10) tokens, for which a base.max_length of 8 has no room"):
        made.encode([TEXT])
    made.task = made.prompts.task = made.task.model_copy(update={"verbalizers": (" good", " film" * 7)})
    assert len(made.encode([TEXT])[0].spans[1].token_ids) in (7, 8)


def test_an_answer_without_tokens_or_without_anything_before_it(make_spec: MakeSpec) -> None:
    made: BoundLikelihood = formulation(make_spec, "decoder")
    made.task = made.prompts.task = made.task.model_copy(update={"verbalizers": (" good", " ")})
    with pytest.raises(SpecError, match="example 0 of sst2 has an answer without a token"):
        made.encode([TEXT])
    made.task = made.prompts.task = made.task.model_copy(update={"verbalizers": CHOICES, "templates": ("{sentence}",)})
    with pytest.raises(SpecError, match="no token stands before the answer"):
        made.encode([Example("0", {"sentence": ""}, 0)])


@pytest.mark.parametrize(("kind", "n_kept"), [("decoder", 12), ("encoder_decoder", 16)])
def test_a_long_target_loses_its_end_and_is_counted(kind: str, n_kept: int, make_spec: MakeSpec) -> None:
    made: BoundGeneration = formulation(make_spec, kind, asks="generation", base={"max_length": 16})
    words = [WORDS[6 + n % 18] for n in range(40)]
    (row,) = made.encode_training([replace(TEXT, fields={"sentence": "bad"}, target=" ".join(words))])
    prompt = made.tokenizer(made.prompts.prompt(replace(TEXT, fields={"sentence": "bad"})))["input_ids"]
    (span,) = row.spans
    assert list(span.token_ids) == [WORDS.index(word) for word in words[:n_kept]]
    assert made.n_truncated == 1
    if kind == "decoder":
        assert list(row.sequences[0]) == [*prompt, *span.token_ids[:-1]]
        assert span.start == len(prompt) - 1
    loss = made.losses(made.base.model, made.collate([row], torch.device("cpu"))).mean()
    assert torch.isfinite(loss)


def test_a_long_prompt_and_a_long_target_share_the_room(make_spec: MakeSpec) -> None:
    made: BoundGeneration = formulation(make_spec, "decoder", asks="generation", base={"max_length": 16})
    (row,) = made.encode_training([replace(TEXT, fields={"sentence": "film " * 30}, target="plot " * 30)])
    assert row.length == 16
    assert (row.spans[0].start, len(row.spans[0].token_ids)) == (7, 9)
    assert made.n_truncated == 1


def test_an_encoder_reads_the_same_prompt_in_training_and_after(make_spec: MakeSpec) -> None:
    made: BoundGeneration = formulation(make_spec, "encoder_decoder", asks="generation")
    made.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "isolated")  # a blank is a token
    made.prompts.task = made.task.model_copy(update={"templates": ("Review: {sentence} Sentiment: ",)})
    asked = [replace(TEXT, target="good film")]
    assert made.encode(asked)[0].sequences == made.encode_training(asked)[0].sequences
