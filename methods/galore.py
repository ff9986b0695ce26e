"""GaLore, gradient low-rank projection."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Choice, Range, Space
from harness.methods._every_parameter import EveryParameter

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class GaLore(EveryParameter):
    """Every parameter is trained, by an AdamW whose moments are of gradients projected onto their main directions.

    AdamW keeps two numbers for each weight; this keeps 2 R n + R m for a matrix of n by m of the blocks' linear layers,
    n the larger side. rank, scale, interval and rate are those of the authors' script for GLUE
    (https://github.com/jiaweizzhao/GaLore).
    """

    source: ClassVar[str] = "Zhao et al. 2024, https://arxiv.org/abs/2403.03507"
    learning_rate: ClassVar[float] = 3e-5

    rank: int = Field(4, ge=1, description="Dimensions R that gradients are projected to.")
    scale: float = Field(4, gt=0, description="Factor of the projected step.")
    interval: int = Field(500, ge=1, description="Steps for which the directions stay.")

    def groups(self, model: "nn.Module", rate: float) -> list[dict[str, Any]]:
        """The matrices of the blocks, and the rest."""
        from harness.methods._projected import by_rank

        return by_rank(model, self.rank)

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """With the usual optimizer's settings."""
        from harness.methods._projected import GaLoreAdamW

        return GaLoreAdamW(inner(groups).param_groups, self.interval, self.scale)

    def space(self) -> Space:
        """Size and scale of the projected step."""
        return {"rank": Choice((4, 8, 16, 64)), "scale": Range(0.25, 8, log=True)}
