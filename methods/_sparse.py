"""Linear layers of which a few weights are trained."""

from torch import Tensor, nn
from torch.nn.utils import parametrize


class SparseUpdate(nn.Module):
    """W with trained values added at fixed places, 0 at first; to be registered as a parametrization of a weight.

    Args:
        weight: W.
        n: How many places: those of the smallest magnitude, of equal ones the first.
    """

    places: Tensor

    def __init__(self, weight: Tensor, n: int) -> None:
        super().__init__()
        self.values = nn.Parameter(weight.new_zeros(n))
        places = weight.detach().abs().flatten().argsort(stable=True)[:n]
        self.register_buffer("places", places, persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as it is used."""
        return weight.flatten().index_add(0, self.places, self.values).view_as(weight)


def train_sparsely(layer: nn.Module, n: int) -> None:
    """Train n weights of a frozen linear layer, and nothing else of it."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    parametrize.register_parametrization(layer, "weight", SparseUpdate(weight, n))


def make_dense(model: nn.Module) -> nn.Module:
    """The model with the trained values added for good."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return model
