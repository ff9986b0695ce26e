"""APOLLO, approximated gradient scaling."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.methods._every_parameter import EveryParameter

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class APOLLO(EveryParameter):
    """Every parameter is trained: rows of the gradient are scaled as AdamW would scale them in a random projection.

    It keeps as little as GaLore, without singular value decompositions. As in the authors' fine-tuning of 8B models
    (https://github.com/zhuhanqing/APOLLO) rank is a 32nd of the hidden size, here MiniLM's, and scale the root of 32;
    the interval is theirs. They tune the rate; the default is that of full fine-tuning, as what is scaled stands for
    AdamW's step.
    """

    source: ClassVar[str] = "Zhu et al. 2024, https://arxiv.org/abs/2412.05270"
    learning_rate: ClassVar[float] = 5e-5

    rank: int = Field(12, ge=1, description="Dimensions R that gradients are projected to.")
    scale: float = Field(5.66, gt=0, description="Factor of the scaled gradient.")
    interval: int = Field(200, ge=1, description="Steps for which the projection stays.")

    def groups(self, model: "nn.Module", rate: float) -> list[dict[str, Any]]:
        """The matrices of the blocks, and the rest."""
        from harness.methods._projected import by_rank

        return by_rank(model, self.rank)

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """With the usual optimizer's settings."""
        from harness.methods._projected import ApolloAdamW

        return ApolloAdamW(inner(groups).param_groups, self.interval, self.scale)

    def space(self) -> Space:
        """Size and scale of the scaled gradient."""
        return {"rank": Choice((1, 4, 12, 48)), "scale": Range(1, 16, log=True)}
