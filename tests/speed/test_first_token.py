"""The last block at the first token only: what the head reads and every gradient stay what they were."""

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, BertConfig, ElectraConfig, PreTrainedConfig, RobertaConfig

from harness.method import METHODS
from harness.speed.first_token import keep_first_token
from harness.testing import tiny
from tests.representatives import small

SMALL = {
    "vocab_size": tiny.VOCABULARY,
    "hidden_size": tiny.HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "num_labels": tiny.LABELS,
    "pad_token_id": 0,
}
TRAINED = [name for name in METHODS.names() if METHODS.find(name).trains]


def answers(model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits without dropout, and the gradients of a loss on them."""
    inputs = tiny.batch("encoder")
    logits = model.eval()(**inputs).logits
    tiny.loss("encoder", logits, inputs).backward()
    return logits, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def compare(plain: nn.Module, short: nn.Module) -> None:
    (logits, gradients), (short_logits, short_gradients) = answers(plain), answers(short)
    torch.testing.assert_close(short_logits, logits, atol=1e-6, rtol=1e-5)
    assert gradients.keys() == short_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(short_gradients[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("config_class", [BertConfig, RobertaConfig, ElectraConfig])
def test_families(config_class: type[PreTrainedConfig]) -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(AutoModelForSequenceClassification.from_config(config_class(**SMALL)))
    assert keep_first_token(models[1])
    compare(*models)
    stack = models[1].base_model.encoder(torch.randn(2, 5, tiny.HIDDEN))
    assert stack.last_hidden_state.shape == (2, 1, tiny.HIDDEN)


@pytest.mark.parametrize("name", TRAINED)
def test_methods(name: str) -> None:
    """Adapters hook into the block, prefixes add keys, peft wraps its layers: all as before."""
    method, models = small(name), []
    if reason := method.skip(tiny.base_info("encoder"), tiny.task_info("encoder")):
        pytest.skip(reason)
    for short in (False, True):
        base = tiny.load("encoder")
        if short:
            assert keep_first_token(base)
        torch.manual_seed(0)
        model = method.apply(base, tiny.context("encoder"))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.05 * torch.randn_like(parameter))
        models.append(model)
    compare(*models)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_others_are_left_alone(kind: str) -> None:
    assert not keep_first_token(tiny.MODELS[kind]())  # type: ignore[index]
