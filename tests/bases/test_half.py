"""Frozen weights in bf16: the same run in less memory."""

from pathlib import Path

import pytest
import torch

from harness.runs.resolve import resolve
from harness.runs.run import run
from tests.conftest import MakeSpec
from tests.ready import ready

BF16 = {"precision": "bf16", "max_steps": 3}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("lora", "encoder"),
        ("prefix", "encoder"),
        ("last_layers", "encoder"),
        ("lora", "decoder"),
        ("zero_shot", "decoder"),
    ],
)
def test_a_run_in_bf16_is_the_same(method: str, kind: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(method, kind, training=BF16)
    plain, half = (run(one, tmp_path) for one in (spec, spec.updated(base={"dtype": "bf16"})))
    assert (plain.status, half.status) == ("ok", "ok")
    assert plain.run_id != half.run_id
    assert half.metrics == plain.metrics
    assert half.params.stored_hash == plain.params.stored_hash
    assert [point["train_loss"] for point in half.curve] == [point["train_loss"] for point in plain.curve]


def test_only_what_is_frozen_in_the_blocks_is_halved(make_spec: MakeSpec) -> None:
    spec = make_spec("lora", base={"dtype": "bf16"}, training=BF16)
    kept = dict(ready(spec).model.named_parameters())
    halved = {name for name, parameter in kept.items() if parameter.dtype == torch.bfloat16}
    assert halved
    assert all(".layer." in name and "base_layer" in name and not kept[name].requires_grad for name in halved)
    weights = {name for name, p in kept.items() if ".layer." in name and "base_layer.weight" in name}
    assert weights <= halved


def test_other_precisions_skip_it(make_spec: MakeSpec) -> None:
    spec = make_spec("lora", base={"dtype": "bf16"}, training={"precision": "fp32"})
    assert (resolve(spec).skip_reason() or "").startswith("base.dtype=bf16 needs training.precision=bf16")
