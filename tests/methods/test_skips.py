"""What can't work with a base is skipped with the reason, and nothing else is."""

from dataclasses import replace

import pytest

from harness.core.spec import Quantization
from harness.method import BaseKind
from harness.methods.last_layers import LastLayers
from harness.methods.lora import LoRA
from harness.methods.prefix import PrefixTuning
from harness.testing import tiny


@pytest.mark.parametrize(("quantization", "skipped"), [("none", False), ("8bit", True), ("4bit", False)])
def test_dora_needs_weights_that_it_can_read(quantization: Quantization, skipped: bool) -> None:
    base, task = tiny.base_info("encoder", quantization), tiny.task_info("encoder")
    assert bool(LoRA(use_dora=True).skip(base, task)) == skipped
    assert LoRA().skip(base, task) is None


@pytest.mark.parametrize("has_head", [True, False])
@pytest.mark.parametrize("kind", tiny.MODELS)
def test_prefix_below_a_head_needs_a_single_stack(kind: BaseKind, has_head: bool) -> None:
    task = replace(tiny.task_info(kind), has_head=has_head)
    skipped = kind == "encoder_decoder" and has_head
    assert bool(PrefixTuning().skip(tiny.base_info(kind), task)) == skipped


@pytest.mark.parametrize(("n_layers", "quantization"), [(3, "4bit"), (5, "8bit")])
def test_last_layers_leaves_something_to_quantize(n_layers: int, quantization: Quantization) -> None:
    base, task = tiny.base_info("encoder", quantization), tiny.task_info("encoder")
    assert "nothing is left to quantize" in (LastLayers(n_layers=n_layers).skip(base, task) or "")
    assert LastLayers(n_layers=n_layers).skip(tiny.base_info("encoder"), task) is None
    assert LastLayers(n_layers=2).skip(base, task) is None
