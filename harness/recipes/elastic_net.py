"""L1 and L2 penalties of the weights."""

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training
from harness.recipes._gradients import add_gradient


class ElasticNet(Recipe):
    """Add l1 |w| + l2 / 2 |w|² of the trained matrices to the loss; biases and norms are free, as intercepts are.

    One of the two at 0 leaves the lasso or ridge penalty. Unlike ``training.weight_decay``, which shrinks weights
    beside the optimizer, it passes through clipping and AdamW's scaling. The source has no strengths for networks.
    """

    source: ClassVar[str] = "Zou and Hastie 2005, equation 3, https://doi.org/10.1111/j.1467-9868.2005.00503.x"

    l1: float = Field(1e-5, ge=0, description="Strength of the sum of absolute values.")
    l2: float = Field(1e-4, ge=0, description="Strength of half the sum of squares.")

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients with those of the penalty; the task loss."""
        import torch

        loss, penalties = inner(), []
        for parameter in training.trained:
            if parameter.dim() > 1:
                w = parameter.detach()
                penalties.append(self.l1 * w.abs().sum() + self.l2 / 2 * w.square().sum())
                add_gradient(parameter, self.l1 * w.sign() + self.l2 * w)
        training.log("elastic_net/penalty", torch.stack(penalties).sum().item() if penalties else 0.0)
        return loss

    def space(self) -> Space:
        """From next to nothing to what leaves few weights."""
        return {"l1": Range(1e-7, 1e-3, log=True), "l2": Range(1e-6, 1e-2, log=True)}
