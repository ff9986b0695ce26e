"""What the harness asks of peft beyond its public names still does what it is asked for."""

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear
from torch import nn

from harness.libraries.peft import put_in_place_of


class Own(Linear):
    """A layer of one's own."""


def test_a_layer_of_one_s_own_wraps_the_modules_of_its_class() -> None:
    config = LoraConfig(target_modules=["0"])
    put_in_place_of(config, {nn.Linear: Own})
    wrapped = get_peft_model(nn.Sequential(nn.Linear(4, 4)), config)
    assert [type(module) for module in wrapped.modules() if isinstance(module, Linear)] == [Own]
    assert wrapped(torch.zeros(1, 4)).shape == (1, 4)
