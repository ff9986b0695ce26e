"""AdamW in 8 bits: that it is one, takes the settings of the usual one, and goes where that goes."""

from functools import partial

import pytest
import torch
from torch import nn

from harness.core.errors import Unsupported
from harness.recipe import RECIPES

recipe = RECIPES.make("adamw_8bit")
USUAL = partial(torch.optim.AdamW, weight_decay=0.1, betas=(0.8, 0.9))


def trained(make: "partial[torch.optim.Optimizer] | None", n_steps: int = 30) -> torch.Tensor:
    """A matrix after some steps towards another, by the optimizer or by the recipe's."""
    torch.manual_seed(0)
    weight, target = nn.Parameter(torch.randn(128, 64)), torch.randn(128, 64)
    groups = [{"params": [weight], "lr": 0.01}]
    optimizer = make(groups) if make else recipe.optimizer(groups, USUAL)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    return weight.detach()


def test_it_goes_where_adamw_goes() -> None:
    """Within a twentieth of the way that weights have moved."""
    start, plain, small = trained(USUAL, 0), trained(USUAL), trained(None)
    assert (plain - small).norm() < 0.05 * (plain - start).norm()
    assert not torch.equal(plain, small)


def test_its_state_is_8_bits_and_its_settings_are_those_given() -> None:
    weights = [nn.Parameter(torch.randn(128, 64)), nn.Parameter(torch.randn(8))]
    groups = [{"params": weights[:1], "lr": 0.01}, {"params": weights[1:], "lr": 0.02, "weight_decay": 0.0}]
    optimizer = recipe.optimizer(groups, USUAL)
    sum(weight.square().sum() for weight in weights).backward()  # type: ignore[union-attr]
    optimizer.step()
    kept = [group | {"params": len(group["params"])} for group in optimizer.param_groups]
    assert [(group["lr"], group["weight_decay"], group["betas"]) for group in kept] == [
        (0.01, 0.1, (0.8, 0.9)),
        (0.02, 0.0, (0.8, 0.9)),
    ]
    assert {optimizer.state[weights[0]][name].dtype for name in ("state1", "state2")} == {torch.uint8}
    assert optimizer.state[weights[1]]["state1"].dtype == torch.float32


def test_another_optimizer_is_not_replaced() -> None:
    with pytest.raises(Unsupported, match="stands in for AdamW; this run has SGD"):
        recipe.optimizer([{"params": [nn.Parameter(torch.zeros(1))], "lr": 0.1}], torch.optim.SGD)
