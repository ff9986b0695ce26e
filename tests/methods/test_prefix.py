"""Prefix tuning's size, and that its keys and values act as attention's definition says."""

from typing import Literal

import pytest
import torch
from torch import nn

from harness.method import BaseKind
from harness.methods.mam import MAM
from harness.methods.prefix import PrefixTuning
from harness.testing import tiny

KEY_SIZE: dict[BaseKind, int] = {
    "encoder": tiny.HIDDEN,
    "decoder": tiny.HIDDEN // 2,  # two of four heads have keys of their own
    "encoder_decoder": tiny.HIDDEN,
}


def applied(method: PrefixTuning, kind: BaseKind) -> nn.Module:
    torch.manual_seed(0)
    return method.apply(tiny.load(kind), tiny.context(kind))


def prefix_params(model: nn.Module) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if p.requires_grad and "prompt_encoder" in name)


@pytest.mark.parametrize("kind", tiny.MODELS)
def test_a_key_and_a_value_in_every_block_for_each_virtual_token(kind: BaseKind) -> None:
    model = applied(PrefixTuning(n_virtual_tokens=5), kind)
    assert prefix_params(model) == 5 * tiny.BLOCKS * 2 * KEY_SIZE[kind]


def test_the_network_maps_an_embedding_to_all_keys_and_values() -> None:
    model = applied(PrefixTuning(n_virtual_tokens=5, reparametrize=True, network_width=8), "encoder")
    size, out = tiny.HIDDEN, tiny.BLOCKS * 2 * tiny.HIDDEN
    assert prefix_params(model) == 5 * size + (size * 8 + 8) + (8 * out + out)


def test_a_start_at_zero_scores_and_adds_nothing() -> None:
    """Every virtual token has the score 0 and the value 0; through the network too."""
    for reparametrize in (False, True):
        model = applied(PrefixTuning(n_virtual_tokens=5, init="zero", reparametrize=reparametrize), "encoder")
        cache = model.get_prompt(batch_size=1)
        assert not any(part.any() for layer in cache.layers for part in (layer.keys, layer.values))


@pytest.mark.parametrize("init", ["random", "zero"])
def test_equals_attention_over_the_longer_sequence(init: Literal["random", "zero"]) -> None:
    """softmax(Q [P_k; K]^T / sqrt(d)) [P_v; V], computed here for the first block of BERT."""
    model = applied(PrefixTuning(n_virtual_tokens=5, init=init), "encoder").eval()
    attention = model.get_base_model().bert.encoder.layer[0].attention.self
    seen: dict[str, torch.Tensor] = {}
    attention.register_forward_hook(lambda _, args, output: seen.update(x=args[0], output=output[0]))
    inputs = {
        "input_ids": tiny.batch("encoder")["input_ids"][:2],
        "attention_mask": torch.ones(2, 12, dtype=torch.long),
    }
    with torch.no_grad():
        model(**inputs)
        keys, values = (
            model.prompt_encoder["default"].embedding.weight.view(5, tiny.BLOCKS * 2, tiny.HIDDEN)[:, :2].unbind(1)
        )

        def heads(states: torch.Tensor) -> torch.Tensor:
            return states.view(2, -1, 4, tiny.HIDDEN // 4).transpose(1, 2)

        x = seen["x"]
        all_keys = torch.cat([keys.expand(2, -1, -1), attention.key(x)], dim=1)
        all_values = torch.cat([values.expand(2, -1, -1), attention.value(x)], dim=1)
        weights = (heads(attention.query(x)) @ heads(all_keys).mT / (tiny.HIDDEN // 4) ** 0.5).softmax(-1)
        expected = (weights @ heads(all_values)).transpose(1, 2).reshape(2, 12, tiny.HIDDEN)
    torch.testing.assert_close(seen["output"], expected, atol=1e-5, rtol=1e-5)


def test_mam_is_the_prefix_and_parallel_adapters() -> None:
    """With adapters at zero it answers as its prefix alone does; each part moves the answer."""
    inputs, prompt = tiny.batch("encoder"), "prompt_encoder.default.embedding.weight"
    model = MAM(n_virtual_tokens=5).apply(tiny.load("encoder"), tiny.context("encoder"))
    alone = applied(PrefixTuning(n_virtual_tokens=5), "encoder")
    model.get_parameter(prompt).data.copy_(alone.get_parameter(prompt))
    with torch.no_grad():
        expected, base = alone.eval()(**inputs).logits, tiny.load("encoder")(**inputs).logits
        torch.testing.assert_close(model.eval()(**inputs).logits, expected)
        assert not torch.allclose(expected, base)
        adapters = [p for name, p in model.named_parameters() if "feed_forward_adapter.2.weight" in name]
        assert len(adapters) == tiny.BLOCKS
        adapters[0].normal_()
        assert not torch.allclose(model(**inputs).logits, expected)
