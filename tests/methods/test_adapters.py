"""Bottleneck adapters against AdapterHub's library, and in blocks of other families."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoModel,
    BertConfig,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.models.distilbert import DistilBertConfig
from transformers.models.gemma2 import Gemma2Config
from transformers.models.gpt2 import GPT2Config
from transformers.models.gpt_neox import GPTNeoXConfig
from transformers.models.roberta import RobertaConfig

from harness.core.errors import SpecError
from harness.method import BaseInfo, Context, TaskInfo
from harness.methods.adapters import Adapters, Placement

PLACEMENTS: tuple[Placement, ...] = ("pfeiffer", "houlsby", "parallel")
SIZES = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
}
FAMILIES: dict[str, PretrainedConfig] = {
    "bert": BertConfig(**SIZES),
    "llama": LlamaConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES, pad_token_id=0),
    "distilbert": DistilBertConfig(vocab_size=30, dim=16, n_layers=2, n_heads=2, hidden_dim=24),
    "mpnet": MPNetConfig(**SIZES),
    "modernbert": ModernBertConfig(**SIZES, pad_token_id=0, global_attn_every_n_layers=2),
    "gpt2": GPT2Config(vocab_size=30, n_embd=16, n_layer=2, n_head=2, n_positions=16),
    "gemma2": Gemma2Config(**SIZES, head_dim=8, num_key_value_heads=1, pad_token_id=0),
}


def context(hidden_size: int) -> Context:
    base = BaseInfo("encoder", "none", "tiny", 2, hidden_size, has_mask_head=False, is_sentence_embedding=False)
    return Context(base, TaskInfo("classification", "head", 2), (), total_steps=1, seed=0)


def adapted(model: PreTrainedModel, method: Adapters, hidden_size: int = 16) -> PreTrainedModel:
    return method.apply(model.eval(), context(hidden_size))


def build(family: str) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModel.from_config(FAMILIES[family]).eval()


def hidden_states(model: PreTrainedModel, input_ids: Tensor) -> Tensor:
    with torch.no_grad():
        return model(input_ids, attention_mask=torch.ones_like(input_ids)).last_hidden_state


@pytest.fixture(scope="module")
def adapterhub() -> dict[str, Tensor]:
    return load_file(Path(__file__).with_name("adapterhub_outputs.safetensors"))


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_equals_adapterhub(family: str, placement: Placement, adapterhub: dict[str, Tensor]) -> None:
    model = build(family)
    model.load_state_dict(part(adapterhub, f"{family}/base/"))
    plain = hidden_states(model, adapterhub["input_ids"])

    adapted(model, Adapters(placement=placement, reduction_factor=4))
    weights = part(adapterhub, f"{family}/{placement}/weights/")
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained.keys() == weights.keys()
    for name, parameter in trained.items():
        parameter.data.copy_(weights[name])

    output = hidden_states(model, adapterhub["input_ids"])
    torch.testing.assert_close(output, adapterhub[f"{family}/{placement}/output"], atol=1e-5, rtol=1e-5)
    assert (output - plain).abs().max() > 0.1


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_is_the_identity_at_first_and_matters_later(family: str, placement: Placement) -> None:
    model, input_ids = build(family), torch.arange(12).view(2, 6)
    plain = hidden_states(model, input_ids)

    adapted(model, Adapters(placement=placement, width=8))
    assert torch.equal(hidden_states(model, input_ids), plain)

    model(input_ids).last_hidden_state.square()[..., 0].sum().backward()
    gradients = [p.grad for name, p in model.named_parameters() if "adapter.2.weight" in name]
    assert len(gradients) == (4 if placement == "houlsby" else 2)
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize(("placement", "count"), [("pfeiffer", 113_040), ("houlsby", 226_080), ("parallel", 113_040)])
def test_parameter_counts_on_minilm(placement: Placement, count: int) -> None:
    """2 · D · width + D + width for each adapter: D = 384, width 24, 6 blocks, twice that for houlsby."""
    config = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    model = adapted(AutoModel.from_config(config), Adapters(placement=placement), hidden_size=384)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count


def test_gradient_checkpointing_changes_nothing() -> None:
    input_ids = torch.arange(12).view(2, 6)
    gradients = []
    for checkpointing in (False, True):
        model = adapted(build("llama"), Adapters(placement="houlsby", width=3)).train()
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if "adapter.2" in name:
                torch.nn.init.normal_(parameter)
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        model(input_ids).last_hidden_state.square()[..., 0].sum().backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) == 16
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


def test_says_which_blocks_it_knows() -> None:
    config = GPTNeoXConfig(**SIZES)
    with pytest.raises(SpecError, match=r"GPTNeoXLayer.*BERT.*Llama"):
        adapted(AutoModel.from_config(config), Adapters())
