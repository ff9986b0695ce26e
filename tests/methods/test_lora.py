"""LoRA against its formula, and peft's adapter format."""

import math
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import nn

from harness.bases.anatomy import linear_names
from harness.core.errors import SourceError, SpecError, Unsupported
from harness.libraries.peft import target_names
from harness.method import BaseKind, Method
from harness.methods.adalora import AdaLoRA
from harness.methods.lora import LoRA
from harness.methods.prefix import PrefixTuning
from harness.testing import tiny

STEPS = 8
PEFT_METHODS = [LoRA(), AdaLoRA(), PrefixTuning(), PrefixTuning(reparametrize=True, network_width=8)]


def trained(method: Method, kind: BaseKind = "encoder") -> nn.Module:
    """A model after a few steps, so that no update is zero."""
    torch.manual_seed(0)
    model = method.apply(tiny.load(kind), tiny.context(kind, total_steps=STEPS))
    inputs = tiny.batch(kind)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for step in range(1, STEPS + 1):
        tiny.loss(kind, model(**inputs).logits, inputs).backward()
        optimizer.step()
        method.after_step(model, step)
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def logits(model: nn.Module, kind: BaseKind = "encoder") -> torch.Tensor:
    return model.eval()(**tiny.batch(kind)).logits


@pytest.mark.parametrize("use_rslora", [False, True])
def test_computes_the_papers_formula(use_rslora: bool) -> None:
    """A plain base whose weights are W + scaling · B A gives the same logits."""
    method = LoRA(rank=4, alpha=12, use_rslora=use_rslora)
    model, plain = trained(method), tiny.load("encoder")
    scaling = 12 / math.sqrt(4) if use_rslora else 12 / 4
    for name in linear_names(plain):
        layer = model.get_base_model().get_submodule(name)
        update = scaling * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        plain.get_submodule(name).weight.data += update
    plain.classifier = model.get_base_model().classifier.modules_to_save["default"]
    torch.testing.assert_close(logits(model), logits(plain), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rank", [1, 8])
def test_adds_rank_times_in_plus_out_parameters(rank: int) -> None:
    plain = tiny.load("encoder")
    shapes = [plain.get_submodule(name).weight.shape for name in linear_names(plain)]
    head = sum(p.numel() for p in plain.classifier.parameters())
    model = LoRA(rank=rank).apply(plain, tiny.context("encoder"))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert len(shapes) == 6 * tiny.BLOCKS
    assert count == head + sum(rank * (n_out + n_in) for n_out, n_in in shapes)


def test_target_modules_are_chosen_by_ending() -> None:
    model = LoRA(target_modules=("query", "attention.output.dense")).apply(
        tiny.load("encoder"), tiny.context("encoder")
    )
    adapted = {name.split(".lora_A")[0] for name, _ in model.named_parameters() if "lora_A" in name}
    assert len(adapted) == 2 * tiny.BLOCKS
    assert all(name.endswith(("attention.self.query", "attention.output.dense")) for name in adapted)


def test_unknown_target_module_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'quary'.*did you mean 'query'.*dense, key, query, value"):
        LoRA(target_modules=("quary",)).apply(tiny.load("encoder"), tiny.context("encoder"))


@pytest.mark.parametrize("kind", tiny.MODELS)
@pytest.mark.parametrize("method", PEFT_METHODS, ids=["lora", "adalora", "prefix", "prefix through a network"])
# peft checks AdaLoRA's rank_pattern as if it were LoRA's, warns, and then applies it rightly
@pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning")
def test_peft_loads_what_was_saved(method: Method, kind: BaseKind, tmp_path: Path) -> None:
    model = trained(method, kind)
    method.save(model, tmp_path)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {file.name for file in tmp_path.iterdir()}
    theirs = PeftModel.from_pretrained(tiny.load(kind), tmp_path)
    torch.testing.assert_close(logits(theirs, kind), logits(model, kind), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", tiny.MODELS)
@pytest.mark.parametrize("method", [LoRA(), LoRA(use_dora=True), AdaLoRA()], ids=["lora", "dora", "adalora"])
def test_merged_model_computes_the_same(method: LoRA | AdaLoRA, kind: BaseKind) -> None:
    model = trained(method, kind)
    expected = logits(model, kind)
    merged = method.merge(model)
    assert type(merged) is type(tiny.load(kind))
    assert merged.state_dict().keys() == tiny.load(kind).state_dict().keys()
    torch.testing.assert_close(logits(merged, kind), expected, atol=1e-4, rtol=1e-4)


def test_what_cannot_be_merged_says_why() -> None:
    quantized = LoRA().apply(tiny.load("encoder", "8bit"), tiny.context("encoder", "8bit"))
    with pytest.raises(SpecError, match="quantized"):
        LoRA().merge(quantized)
    prefix = PrefixTuning()
    with pytest.raises(SpecError, match="changes no weights"):
        prefix.merge(prefix.apply(tiny.load("encoder"), tiny.context("encoder")))


def test_loading_anothers_adapter_is_an_error(tmp_path: Path) -> None:
    LoRA(rank=4).save(trained(LoRA(rank=4)), tmp_path)
    for method in (LoRA(rank=8), LoRA(rank=4, target_modules=("query",)), PrefixTuning()):
        model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
        with pytest.raises(SourceError, match="does not fit this model"):
            method.load(model, tmp_path)


@pytest.mark.parametrize("kind", tiny.MODELS)
@pytest.mark.parametrize("init", ["pissa", "olora", "orthogonal"])
def test_a_start_from_the_frozen_weights_is_the_base(init: str, kind: BaseKind, tmp_path: Path) -> None:
    method = LoRA(init=init)
    torch.testing.assert_close(
        logits(method.apply(tiny.load(kind), tiny.context(kind)), kind),
        logits(tiny.load(kind), kind),
        atol=1e-5,
        rtol=1e-4,
    )
    model = trained(method, kind)
    method.save(model, tmp_path)
    theirs = PeftModel.from_pretrained(tiny.load(kind), tmp_path)
    torch.testing.assert_close(logits(theirs, kind), logits(model, kind), atol=1e-5, rtol=1e-5)


def test_pissa_takes_the_largest_singular_directions() -> None:
    method, base = LoRA(init="pissa", rank=4, alpha=4), tiny.load("decoder")
    weight = base.model.layers[0].mlp.up_proj.weight.detach().clone()
    layer = method.apply(base, tiny.context("decoder")).get_submodule("base_model.model.model.layers.0.mlp.up_proj")
    u, s, v = torch.linalg.svd(weight)
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(update.detach(), u[:, :4] * s[:4] @ v[:4], atol=1e-5, rtol=1e-4)


def test_lora_plus_trains_b_at_its_own_rate() -> None:
    method = LoRA(b_rate_ratio=16)
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    others, b = method.groups(model, rate=1e-4)
    assert b["lr"] == pytest.approx(16e-4)
    assert "lr" not in others
    named = {id(p): name for name, p in model.named_parameters()}
    assert all(".lora_B." in named[id(p)] for p in b["params"])
    n_trained = sum(p.requires_grad for p in model.parameters())
    assert len(b["params"]) + len(others["params"]) == n_trained
    assert len(method.model_copy(update={"b_rate_ratio": 1.0}).groups(model, 1e-4)) == 1


def test_lora_fa_leaves_a_as_it_was_drawn() -> None:
    method = LoRA(freeze_a=True)
    model = method.apply(tiny.load("decoder"), tiny.context("decoder"))
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert names
    assert all(".lora_B." in name for name in names)
    assert method.expected_params(tiny.base_info("decoder")) == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )


def test_ranks_and_whole_modules_by_name() -> None:
    method = LoRA(rank_pattern={"query": 2}, alpha_pattern={"query": 1.0}, trained_whole=("word_embeddings",))
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    attention = model.get_submodule("base_model.model.bert.encoder.layer.0.attention.self")
    assert attention.query.lora_A["default"].weight.shape[0] == 2
    assert attention.query.scaling["default"] == 0.5
    assert attention.key.lora_A["default"].weight.shape[0] == method.rank
    whole = {name for name, p in model.named_parameters() if p.requires_grad and "lora_" not in name}
    assert any("word_embeddings.modules_to_save" in name for name in whole)
    assert any("classifier.modules_to_save" in name for name in whole)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("role:query", {"attention.self.query"}),
        ("role:down", {"output.dense"}),
        ("/self\\.(key|value)$/", {"attention.self.key", "attention.self.value"}),
    ],
)
def test_layers_by_role_and_by_expression(chosen: str, expected: set[str]) -> None:
    names = target_names(tiny.load("encoder"), (chosen,))
    assert {name.split(".", 4)[4] for name in names} == expected
    assert len(names) == len(expected) * tiny.BLOCKS
    with pytest.raises(Unsupported, match="known as gate alone"):
        target_names(tiny.load("encoder"), ("role:gate",))
