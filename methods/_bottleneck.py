"""Small trained networks inside frozen blocks: where they stand and what they read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from harness.bases.anatomy import SubLayer, stacks, sub_layers
from harness.methods._outputs import change_output


@dataclass(frozen=True)
class Placement:
    """Where networks A stand in a block: it computed h from its residual x, and now goes on with h + scale · A(z).

    Args:
        reads: z from h, x and the norm that the block applies to h + x (None where it normalizes first).
        activation: f of the bottleneck.
        after_attention: Whether attention has one beside the feed-forward.
    """

    reads: Callable[[Tensor, Tensor, nn.Module | None], Tensor]
    activation: type[nn.Module]
    scale: float = 1.0
    after_attention: bool = False


PLACEMENTS = {
    "pfeiffer": Placement(lambda h, x, norm: norm(h + x) if norm else h + x, nn.ReLU),
    "houlsby": Placement(lambda h, x, norm: h, nn.SiLU, after_attention=True),
    "parallel": Placement(lambda h, x, norm: x, nn.ReLU, scale=4.0),
}


def insert(model: nn.Module, placement: Placement, make: Callable[[], nn.Module]) -> None:
    """Give every block of every stack its networks, each a new one.

    Raises:
        Unsupported: the blocks are of a family whose sub-layers are not known.
    """
    for block in (block for _, stack in stacks(model) for block in stack):
        attention, feed_forward = sub_layers(block)
        places = {"attention_adapter": attention} if placement.after_attention else {}
        for name, sub_layer in (places | {"feed_forward_adapter": feed_forward}).items():
            adapter = make().to(next(block.parameters()).device)
            block.add_module(name, adapter)
            _attach(adapter, sub_layer, placement)


def bottleneck(hidden_size: int, width: int, activation: type[nn.Module]) -> nn.Sequential:
    """W_up f(W_down z + b_down) + b_up with W_up = b_up = 0."""
    up = nn.Linear(width, hidden_size)
    nn.init.zeros_(up.weight)
    nn.init.zeros_(up.bias)
    return nn.Sequential(nn.Linear(hidden_size, width), activation(), up)


def _attach(adapter: nn.Module, sub_layer: SubLayer, placement: Placement) -> None:
    residuals: list[Tensor] = []

    def keep(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        residuals[:] = [args[0] if args else next(iter(kwargs.values()))]

    def add(h: Tensor) -> Tensor:
        z = placement.reads(h, residuals.pop(), sub_layer.norm)
        return h + placement.scale * adapter(z.to(next(adapter.parameters()).dtype)).to(h.dtype)

    sub_layer.source.register_forward_pre_hook(keep, with_kwargs=True)
    change_output(sub_layer.output, add)
