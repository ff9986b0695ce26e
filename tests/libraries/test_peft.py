"""What the harness asks of peft beyond its public names still does what it is asked for."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear
from torch import nn

from harness.libraries.peft import PeftMethod, put_in_place_of
from harness.method import METHODS
from harness.testing import tiny
from harness.testing.method import TinyCell
from tests.representatives import small

OF_PEFT = [name for name in METHODS.names() if issubclass(METHODS.find(name), PeftMethod) and name != "mam"]
"""mam keeps its adapters beside peft's prefix, in a file of its own."""


class Own(Linear):
    """A layer of one's own."""


def test_a_layer_of_one_s_own_wraps_the_modules_of_its_class() -> None:
    config = LoraConfig(target_modules=["0"])
    put_in_place_of(config, {nn.Linear: Own})
    wrapped = get_peft_model(nn.Sequential(nn.Linear(4, 4)), config)
    assert [type(module) for module in wrapped.modules() if isinstance(module, Linear)] == [Own]
    assert wrapped(torch.zeros(1, 4)).shape == (1, 4)


@pytest.mark.parametrize("name", OF_PEFT)
@pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning")
def test_plain_peft_loads_what_a_method_saved(name: str, tmp_path: Path) -> None:
    cell = TinyCell(small(name), "encoder", "none")
    if cell.skipped:
        cell = TinyCell(small(name), "decoder", "none")
    model = cell.applied()
    cell.train(model, steps=2)
    cell.method.save(model, tmp_path)
    theirs = PeftModel.from_pretrained(tiny.load(cell.kind), tmp_path)
    torch.testing.assert_close(cell.logits(theirs), cell.logits(model), atol=1e-4, rtol=1e-4)
