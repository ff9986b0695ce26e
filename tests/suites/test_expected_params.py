"""The formulas that `check` compares budgets with, against models that the methods were applied to."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoModel

from harness.bases.anatomy import blocks, linear_names, role_of
from harness.bases.shapes import has_biases, linear_shapes
from harness.core.spec import MethodSpec
from harness.method import BaseKind, make_method
from harness.testing import tiny
from tests.architectures import save_architecture

KINDS: list[BaseKind] = ["encoder", "decoder"]
SETTINGS = [
    {"name": "lora", "rank": 3},
    {"name": "lora", "rank": 3, "use_dora": True},
    {"name": "adalora", "init_rank": 6, "target_rank": 5},
    {"name": "adapters", "width": 5},
    {"name": "adapters", "placement": "houlsby"},
    {"name": "bitfit"},
    {"name": "compacter"},
    {"name": "ladder"},
    {"name": "linear_probe"},
    {"name": "loreft", "rank": 3},
    {"name": "skip_adapters"},
    {"name": "pafi", "density": 0.01},
    {"name": "prefix", "n_virtual_tokens": 4},
]


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_the_linear_layers_of_a_block(kind: BaseKind) -> None:
    model = tiny.load(kind)
    prefix, stack = blocks(model)
    shapes = linear_shapes(model.config.to_dict())
    assert [f"{prefix}.{block}.{shape.name}" for block in range(len(stack)) for shape in shapes] == linear_names(model)
    for shape in shapes:
        layer = model.get_submodule(f"{prefix}.0.{shape.name}")
        assert (layer.in_features, layer.out_features) == (shape.inputs, shape.outputs)
        assert (layer.bias is not None) == shape.has_bias


@pytest.mark.parametrize("name", ["bert", "llama", "t5", "gpt2", "mpnet"])
def test_biases_are_those_of_the_blocks(name: str, tmp_path: Path) -> None:
    folder = save_architecture(name, tmp_path / name)
    config = json.loads((folder / "config.json").read_text())
    block = blocks(AutoModel.from_pretrained(folder))[1][0]
    assert has_biases(config) == any(key.endswith("bias") for key, _ in block.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_every_role_is_there_once(kind: BaseKind) -> None:
    roles = [shape.role for shape in linear_shapes(tiny.load(kind).config.to_dict())]
    assert len(set(roles)) == len(roles)
    shapes = linear_shapes(tiny.load(kind).config.to_dict())
    assert [role_of(shape.name) for shape in shapes] == [shape.role for shape in shapes]
    assert {"query", "key", "value", "output", "up", "down"} <= set(roles)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_formulas_count_what_is_trained(kind: BaseKind, settings: dict[str, object]) -> None:
    model, context = tiny.load(kind), tiny.context(kind)
    info = replace(context.base, linears=linear_shapes(model.config.to_dict()))
    method = make_method(MethodSpec.model_validate(settings))
    adapted = method.apply(model, context)
    heads = ("pooler", *(name.rsplit(".")[-1] for name in context.head_names))
    trained = sum(
        parameter.numel()
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad and not any(head in name for head in heads)
    )
    if settings["name"] == "adalora":  # starts with rank 6, ends with 5
        trained = trained * 5 // 6
    assert method.expected_params(info) == trained


def test_unknown_families_have_no_estimate() -> None:
    info = replace(tiny.base_info("decoder"), linears=())
    assert linear_shapes({"model_type": "unheard-of"}) == ()
    assert make_method(MethodSpec(name="lora")).expected_params(info) is None
    assert make_method(MethodSpec(name="full")).expected_params(info) is None
