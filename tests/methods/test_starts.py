"""LoRA's starts from what layers read and from what 4 bits rounded away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.bases.load import Wanted, load
from harness.core.errors import Unsupported
from harness.core.spec import BaseSpec, RunSpec
from harness.method import Context, TaskInfo
from harness.methods._starts import PREFIX, eva, updated_layers
from harness.methods.lora import LoRA
from harness.runs.run import run
from harness.testing import tiny


def test_eva_begins_with_the_right_singular_vectors_of_what_layers_read() -> None:
    method = LoRA(rank=3, init="eva")
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    before = model.eval()(**tiny.batch("encoder")).logits
    name = next(name for name in updated_layers(model) if name.endswith("query"))
    layer, read = model.get_submodule(PREFIX + name), []
    layer.register_forward_pre_hook(lambda _, given: read.append(given[0].detach()))
    inputs = tiny.batch("encoder")
    inputs["attention_mask"][0, -1] = 0
    eva(model, [SimpleNamespace(inputs=inputs)], torch.device("cpu"))
    seen = read[0][inputs["attention_mask"].bool()]
    _, _, right = torch.linalg.svd(seen.double(), full_matrices=False)
    a = layer.lora_A["default"].weight.double()
    torch.testing.assert_close((a @ right[:3].t()).abs(), torch.eye(3).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(model(**tiny.batch("encoder")).logits, before)  # B is 0


def test_eva_needs_as_many_directions_as_its_rank() -> None:
    model = LoRA(rank=8, init="eva").apply(tiny.load("encoder"), tiny.context("encoder"))
    one_token = {name: value[:1, :1] for name, value in tiny.batch("encoder").items()}
    with pytest.raises(Unsupported, match="fewer than 8 directions"):
        eva(model, [SimpleNamespace(inputs=one_token)], torch.device("cpu"))


def test_eva_looks_at_training_examples_of_the_seed(make_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    hashes = {}
    for n in (4, 8):
        spec = make_spec("lora", method={"init": "eva", "rank": 2, "eva_examples": n}, training={"max_steps": 1})
        records = [run(spec, tmp_path / f"{n}{again}") for again in ("a", "b")]
        assert [record.status for record in records] == ["ok", "ok"], records[0].reason
        assert records[0].params.init_hash == records[1].params.init_hash
        hashes[n] = records[0].params.init_hash
    assert hashes[4] != hashes[8]


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_loftq_gives_back_the_most_of_what_4_bits_lost(kind: str, snapshots: dict[str, Path]) -> None:
    """The update is the best of its rank: what is left are the other singular values (Eckart and Young)."""
    classes = {"encoder": "AutoModelForSequenceClassification", "decoder": "AutoModelForCausalLM"}
    wanted = Wanted(classes[kind], 2 if kind == "encoder" else None)
    name = str(snapshots[kind])
    plain = load(BaseSpec(name=name), wanted).model
    base = load(BaseSpec(name=name, quantization="4bit"), wanted)
    task = TaskInfo("classification", "head", 2, has_head=kind == "encoder")
    model = LoRA(rank=4, init="loftq").apply(base.model, Context(base.info, task, base.head_names, 2, seed=0))
    import bitsandbytes.functional as bnb

    layers = updated_layers(model)
    assert layers
    for path, layer in layers.items():
        packed = layer.get_base_layer().weight
        lost = plain.get_submodule(path).weight - bnb.dequantize_4bit(packed.data, packed.quant_state).float()
        update = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        rest = torch.linalg.svdvals(lost)[4:]
        torch.testing.assert_close((lost - update).norm(), rest.norm(), atol=1e-5, rtol=1e-3)


def test_loftq_needs_4_bits() -> None:
    info, task = tiny.base_info("encoder"), tiny.task_info("encoder")
    assert "nothing to begin with" in (LoRA(init="loftq").skip(info, task) or "")
    assert LoRA(init="loftq").skip(replace(info, quantization="4bit"), task) is None
