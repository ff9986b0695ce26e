"""Sharpness-aware minimization."""

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training


class SAM(Recipe):
    """Take the gradient where the loss nearby is largest: prefer minima whose surroundings are low too."""

    source: ClassVar[str] = "Foret et al. 2021, algorithm 1, https://arxiv.org/abs/2010.01412"

    rho: float = Field(0.05, gt=0, description="Radius of the neighbourhood, the length of the step to its edge.")

    @property
    def passes(self) -> float:
        """The gradients at two points."""
        return 2.0

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients at w + rho g / |g|, left in ``.grad``; the loss at w."""
        import torch

        loss = inner()
        moved = [parameter for parameter in training.trained if parameter.grad is not None]
        gradients = [parameter.grad.clone() for parameter in moved if parameter.grad is not None]
        length = torch.nn.utils.get_total_norm(gradients).clamp_min(1e-12)
        before = [parameter.detach().clone() for parameter in moved]
        with torch.no_grad():
            for parameter, gradient in zip(moved, gradients, strict=True):
                parameter.add_(gradient * (self.rho / length))
                parameter.grad = None
        nearby = inner()
        training.log("sam/nearby_loss", nearby)
        with torch.no_grad():
            for parameter, value in zip(moved, before, strict=True):
                parameter.copy_(value)
        return loss

    def space(self) -> Space:
        """The radii of the paper's own search, and between."""
        return {"rho": Range(0.01, 0.5, log=True)}
