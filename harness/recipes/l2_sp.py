"""L2-SP: weight decay towards where the weights started."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.space import Range
from harness.recipe import Recipe, Space, Training
from harness.recipes._gradients import add_gradient

if TYPE_CHECKING:
    from torch import Tensor


class L2SP(Recipe):
    """Pull the base's weights to where pretraining left them, and new ones to zero.

    The loss gains alpha / 2 |w - w0|² of the base's weights and beta / 2 |v|² of heads and of what a method adds.
    """

    source: ClassVar[str] = "Li et al. 2018, equation 3, https://arxiv.org/abs/1802.01483"

    alpha: float = Field(0.1, ge=0, description="Pull towards the start, of the base's own weights.")
    beta: float = Field(0.01, ge=0, description="Pull towards zero, of all others.")
    _starts: "dict[int, Tensor]" = PrivateAttr(default_factory=dict)

    def begin(self, training: Training) -> None:
        """Keep the start.

        Raises:
            Unsupported: the method trains none of the base's weights.
        """
        if not training.pretrained:
            raise Unsupported("l2_sp pulls the base's weights to where they started; this method trains none of them")
        self._starts = {id(parameter): parameter.detach().clone() for parameter in training.pretrained}

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients with the pull; the task loss."""
        import torch

        loss, penalties = inner(), []
        for parameter in training.trained:
            start = self._starts.get(id(parameter))
            strength = self.beta if start is None else self.alpha
            way = parameter.detach() if start is None else parameter.detach() - start
            penalties.append(strength / 2 * way.square().sum())
            add_gradient(parameter, strength * way)
        training.log("l2_sp/penalty", torch.stack(penalties).sum().item())
        return loss

    def space(self) -> Space:
        """The authors' range of alpha; they leave beta as it is."""
        return {"alpha": Range(0.001, 1.0, log=True)}
