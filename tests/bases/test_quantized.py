"""Which modules are quantized: all linear layers of the blocks, none outside, none that a method trains."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.bases.anatomy import is_linear, stacks
from harness.bases.load import Wanted, load
from harness.core.errors import SourceError, Unsupported
from harness.core.spec import BaseSpec, Quantization
from harness.method import Context, TaskInfo
from harness.methods.last_layers import LastLayers
from tests.architectures import save_architecture
from tests.bases.conftest import Saved

IN_FULL = {"t5": ("wo",)}
"""Layers that overflow in half precision, so that transformers keeps them."""
NAMES = ["bert_cls2", "roberta", "distilbert", "deberta", "mpnet", "modernbert_body", "gpt2", "gemma2", "t5", "bart"]


def quantized(model: nn.Module) -> set[str]:
    import bitsandbytes

    kinds = (bitsandbytes.nn.Linear8bitLt, bitsandbytes.nn.Linear4bit)
    return {name for name, module in model.named_modules() if isinstance(module, kinds)}


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
@pytest.mark.parametrize("name", NAMES)
def test_all_linear_layers_below_what_is_trained(name: str, quantization: Quantization, saved: Saved) -> None:
    method, spec = LastLayers(n_layers=1), BaseSpec(name=str(saved(name)), quantization=quantization)
    base = load(spec, Wanted("AutoModelForSequenceClassification", 2), method.unquantized_blocks)
    found = stacks(base.model)
    expected = {
        f"{stack}.{index}.{inner}"
        for stack, blocks in found
        for index, block in enumerate(blocks)
        if (stack, index) != (found[-1][0], len(blocks) - 1)
        for inner, module in block.named_modules()
        if is_linear(module) and inner.rpartition(".")[2] not in IN_FULL.get(name, ())
    }
    assert expected
    assert quantized(base.model) == expected
    assert base.head_names
    task = TaskInfo("classification", "head", 2, has_head=True)
    method.apply(base.model, Context(base.info, task, base.head_names, total_steps=2, seed=0))
    assert all(p.is_floating_point() for p in base.model.parameters() if p.requires_grad)


def test_shared_blocks_leave_nothing_to_quantize(saved: Saved) -> None:
    spec = BaseSpec(name=str(saved("albert")), quantization="4bit")
    assert quantized(load(spec, Wanted("AutoModelForSequenceClassification", 2)).model)
    with pytest.raises(Unsupported, match="nothing is left to quantize"):
        load(spec, Wanted("AutoModelForSequenceClassification", 2), LastLayers().unquantized_blocks)


def test_a_checkpoint_that_is_quantized_already_is_told(tmp_path: Path) -> None:
    """Else "none" in a table would stand for four bits."""
    folder = save_architecture("llama", tmp_path / "llama")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match="quantized already"):
        load(BaseSpec(name=str(folder)), Wanted("AutoModelForCausalLM"))


def test_an_evaluation_changes_no_gradient(saved: Saved) -> None:
    """On a processor with bf16 instructions, bitsandbytes would pack weights anew and pass no gradient on."""
    base = load(BaseSpec(name=str(saved("llama")), quantization="4bit"), Wanted("AutoModelForCausalLM"))
    embedded = torch.randn(1, 5, base.info.hidden_size, requires_grad=True)

    def gradient() -> Tensor:
        (found,) = torch.autograd.grad(base.model(inputs_embeds=embedded).logits.square().sum(), embedded)
        return found

    before = gradient()
    with torch.no_grad():
        base.model(inputs_embeds=embedded)
    assert torch.equal(gradient(), before)
