"""Mixout: dropout towards the pretrained weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.space import Range
from harness.recipe import Recipe, Space, Training

if TYPE_CHECKING:
    from torch import Tensor, nn


class Mixout(Recipe):
    """Put pretrained weights in the place of a random share of the trained ones at each step.

    w becomes (m w0 + (1 - m) w - rate w0) / (1 - rate), m Bernoulli with ``rate``: w on average. Of the linear layers
    in the base's blocks, where they are trained. The authors put it in the place of dropout; here dropout stays.
    """

    source: ClassVar[str] = "Lee et al. 2020, equation 6, https://arxiv.org/abs/1909.11299"

    rate: float = Field(0.7, ge=0, lt=1, description="Share replaced; the authors try 0.7, 0.8 and 0.9.")
    _starts: "list[tuple[nn.Parameter, Tensor]]" = PrivateAttr(default_factory=list)

    def begin(self, training: Training) -> None:
        """Keep the pretrained weights.

        Raises:
            Unsupported: the method trains no linear layer of the base.
        """
        from harness.bases.anatomy import linear_names

        pretrained = {id(parameter) for parameter in training.pretrained}
        weights: list[Any] = [training.model.get_submodule(name).weight for name in linear_names(training.model)]
        self._starts = [(weight, weight.detach().clone()) for weight in weights if id(weight) in pretrained]
        if not self._starts:
            raise Unsupported("mixout goes back to pretrained weights; this method trains no linear layer of the base")

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients through the mixed weights: of those that were replaced there is none; the mixed task loss."""
        import torch

        kept = []
        with torch.no_grad():
            for weight, start in self._starts:
                # w + (1 - share) (w - w0): share is 0 where w is kept away, 1 / (1 - rate) where it stays
                share = (torch.rand_like(weight) >= self.rate) / (1 - self.rate)
                kept.append((weight, share.to(weight.dtype), weight.detach().clone(), weight.grad))
                weight.copy_(start + share * (weight - start))
                weight.grad = None
        loss = inner()
        with torch.no_grad():
            for weight, share, value, before in kept:
                weight.copy_(value)
                if weight.grad is not None:
                    weight.grad = weight.grad * share + (0 if before is None else before)
        return loss

    def space(self) -> Space:
        """Up to the largest of the authors' rates."""
        return {"rate": Range(0.0, 0.9)}
