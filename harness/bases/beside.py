"""Networks that stand beside a base's blocks."""

from torch import nn


class BesideBlocks(nn.Module):
    """A trained network that reads what the blocks give and feeds none of them; whatever it holds is no block."""


def beside(model: nn.Module) -> tuple[str, ...]:
    """What the names of parameters and modules in such networks begin with."""
    return tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, BesideBlocks))
