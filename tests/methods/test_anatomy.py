"""Blocks and linear layers are found in models of every kind, quantized, without weights, or wrapped."""

import pytest
import torch
from torch import nn
from transformers import AutoModel, GPT2Config

from harness.bases.anatomy import blocks, linear_names, stacks, sub_layers
from harness.core.errors import SpecError
from harness.core.spec import Quantization
from harness.method import BaseKind
from harness.methods.lora import LoRA
from harness.testing import tiny

# Linear layers in a block: BERT q k v o up down; Llama has a gate besides; T5 3 × (q k v o) + 2 × (up down)
EXPECTED: dict[BaseKind, tuple[str, int]] = {
    "encoder": ("bert.encoder.layer", 6 * tiny.BLOCKS),
    "decoder": ("model.layers", 7 * tiny.BLOCKS),
    "encoder_decoder": ("decoder.block", 16 * tiny.BLOCKS),
}


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
@pytest.mark.parametrize("kind", tiny.MODELS)
def test_finds_blocks_and_linear_layers(kind: BaseKind, quantization: Quantization) -> None:
    model = tiny.load(kind, quantization)
    name, found = blocks(model)
    assert (name, len(linear_names(model))) == EXPECTED[kind]
    assert len(found) == tiny.BLOCKS
    assert all(isinstance(model.get_submodule(linear), nn.Linear) for linear in linear_names(model))
    assert not any(head in linear for linear in linear_names(model) for head in ("classifier", "lm_head", "pooler"))


@pytest.mark.parametrize("kind", tiny.MODELS)
def test_finds_the_same_without_weights(kind: BaseKind) -> None:
    with torch.device("meta"):
        skeleton = type(tiny.load(kind))(tiny.load(kind).config)
    assert linear_names(skeleton) == linear_names(tiny.load(kind))


@pytest.mark.parametrize("kind", tiny.MODELS)
def test_finds_blocks_below_pefts_wrapper(kind: BaseKind) -> None:
    model = LoRA().apply(tiny.load(kind), tiny.context(kind))
    assert blocks(model)[0] == f"base_model.model.{EXPECTED[kind][0]}"


def test_both_stacks_of_an_encoder_decoder() -> None:
    assert [name for name, _ in stacks(tiny.load("encoder_decoder"))] == ["encoder.block", "decoder.block"]


def test_conv1d_counts_as_linear() -> None:
    model = AutoModel.from_config(GPT2Config(vocab_size=30, n_embd=16, n_layer=2, n_head=2, n_positions=16))
    assert linear_names(model)[:2] == ["h.0.attn.c_attn", "h.0.attn.c_proj"]
    assert len(linear_names(model)) == 2 * 4


def test_a_sub_layer_is_what_the_block_adds_up() -> None:
    """BERT: LN(h + x) is the block's output, from the hidden states that the hooks see."""
    model, seen = tiny.load("encoder"), {}
    block = blocks(model)[1][0]
    _, feed_forward = sub_layers(block)
    feed_forward.source.register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    feed_forward.output.register_forward_hook(lambda _, args, output: seen.update(h=output))
    block.register_forward_hook(lambda _, args, output: seen.update(output=output))
    with torch.no_grad():
        model(**tiny.batch("encoder"))
        expected = feed_forward.norm(seen["h"] + seen["x"])
    output = seen["output"][0] if isinstance(seen["output"], tuple) else seen["output"]
    assert torch.equal(expected, output)


def test_a_model_without_blocks_is_an_error() -> None:
    with pytest.raises(SpecError, match="Linear has no list of transformer blocks"):
        blocks(nn.Linear(2, 2))
