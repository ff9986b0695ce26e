"""Perplexity against transformers' own loss, token by token, and by hand."""

import math
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness.core.errors import SpecError
from harness.probe import Subject
from harness.probes._targets import target_losses
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured


def test_it_is_the_exp_of_transformers_loss_of_all_target_tokens(make_spec: MakeSpec) -> None:
    spec = make_spec("zero_shot", "decoder")
    subject = examined(spec)
    model = AutoModelForCausalLM.from_pretrained(spec.base.name)
    total, n_tokens = 0.0, 0
    for row in subject.formulation.encode_training(subject.splits["test"]):
        (span,) = row.spans
        ids = torch.tensor([[*row.sequences[0], span.token_ids[-1]]])
        labels = ids.clone()
        labels[:, : span.start + 1] = -100
        total += model(input_ids=ids, labels=labels).loss.item() * len(span.token_ids)
        n_tokens += len(span.token_ids)
    found = measured(subject, "perplexity")["target_perplexity"]
    assert found.value == pytest.approx(math.exp(total / n_tokens), rel=1e-5)
    assert found.interval[0] < found.value < found.interval[1]


def test_a_base_that_knows_nothing_has_the_perplexity_of_its_vocabulary(make_spec: MakeSpec) -> None:
    """All logits equal: every token is one of V."""

    def forget(model: Any) -> None:
        with torch.no_grad():
            model.get_output_embeddings().weight.zero_()

    subject = examined(make_spec("zero_shot", "decoder"), forget)
    size = subject.model.get_output_embeddings().weight.shape[0]
    assert measured(subject, "perplexity")["target_perplexity"].value == pytest.approx(size, rel=1e-5)


def test_the_order_of_the_examples_is_kept(make_spec: MakeSpec) -> None:
    subject: Subject = examined(make_spec("zero_shot", "decoder"))
    examples = subject.splits["test"][:7]
    losses, counts = target_losses(subject, examples)
    for place, example in enumerate(examples):
        alone, count = target_losses(subject, [example])
        assert losses[place] == pytest.approx(alone[0], rel=1e-4)
        assert counts[place] == count[0]


def test_a_head_has_none(make_spec: MakeSpec) -> None:
    with pytest.raises(SpecError, match="answers that are text"):
        measured(examined(make_spec("last_layers", "decoder", formulation="head")), "perplexity")
