"""The formulas that `check` compares budgets with, against models that the methods were applied to."""

from dataclasses import replace

import pytest

from harness.bases.anatomy import blocks, linear_names
from harness.bases.shapes import linear_shapes
from harness.core.spec import MethodSpec
from harness.method import BaseKind, make_method
from harness.testing import tiny

KINDS: list[BaseKind] = ["encoder", "decoder"]
SETTINGS = [
    {"name": "lora", "rank": 3},
    {"name": "lora", "rank": 3, "use_dora": True},
    {"name": "adalora", "init_rank": 6, "target_rank": 5},
    {"name": "adapters", "width": 5},
    {"name": "adapters", "placement": "houlsby"},
    {"name": "prefix", "n_virtual_tokens": 4},
]


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_the_linear_layers_of_a_block(kind: BaseKind) -> None:
    model = tiny.load(kind)
    prefix, stack = blocks(model)
    shapes = linear_shapes(model.config.to_dict())
    assert [f"{prefix}.{block}.{shape.name}" for block in range(len(stack)) for shape in shapes] == linear_names(model)
    for name, n_in, n_out in shapes:
        layer = model.get_submodule(f"{prefix}.0.{name}")
        assert (layer.in_features, layer.out_features) == (n_in, n_out)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_formulas_count_what_is_trained(kind: BaseKind, settings: dict[str, object]) -> None:
    model, context = tiny.load(kind), tiny.context(kind)
    info = replace(context.base, linears=linear_shapes(model.config.to_dict()))
    method = make_method(MethodSpec.model_validate(settings))
    adapted = method.apply(model, context)
    heads = tuple(name.rsplit(".")[-1] for name in context.head_names)
    trained = sum(
        parameter.numel()
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad and not any(head in name for head in heads)
    )
    if settings["name"] == "adalora":  # starts with rank 6, ends with 5
        trained = trained * 5 // 6
    assert method.expected_params(info) == trained


def test_unknown_families_have_no_estimate() -> None:
    info = tiny.base_info("decoder")
    assert linear_shapes({"model_type": "unheard-of"}) == ()
    assert make_method(MethodSpec(name="lora")).expected_params(info) is None
    assert make_method(MethodSpec(name="full")).expected_params(info) is None
