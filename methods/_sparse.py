"""Linear layers of which a few weights are trained."""

import torch
from torch import Tensor, nn
from torch.func import functional_call


class SparselyTrained(nn.Module):
    """A frozen linear layer with trained values added to some of its weights, 0 at first.

    Args:
        layer: The layer, whose weights of the smallest magnitude are chosen, of equal ones the first.
        n: How many.
    """

    places: Tensor

    def __init__(self, layer: nn.Module, n: int) -> None:
        super().__init__()
        frozen: Tensor = layer.weight  # type: ignore[assignment]
        self.layer = layer
        self.values = nn.Parameter(frozen.new_zeros(n))
        places = frozen.detach().abs().flatten().argsort(stable=True)[:n]
        self.register_buffer("places", places, persistent=False)

    @property
    def weight(self) -> Tensor:
        """The weights as they are used, in the layer's own shape."""
        frozen: Tensor = self.layer.weight  # type: ignore[assignment]
        return frozen.flatten().index_add(0, self.places, self.values).view_as(frozen)

    def forward(self, x: Tensor) -> Tensor:
        """What the layer makes of x with these weights."""
        out: Tensor = functional_call(self.layer, {"weight": self.weight}, (x,))
        return out


def train_sparsely(model: nn.Module, name: str, n: int) -> None:
    """Train n weights of a frozen linear layer, and nothing else of it."""
    model.set_submodule(name, SparselyTrained(model.get_submodule(name), n))


@torch.no_grad()
def make_dense(model: nn.Module) -> nn.Module:
    """The model with its own layers again, the trained values added to their weights."""
    for name, module in list(model.named_modules()):
        if isinstance(module, SparselyTrained):
            frozen: Tensor = module.layer.weight  # type: ignore[assignment]
            frozen.copy_(module.weight)
            model.set_submodule(name, module.layer)
    return model
