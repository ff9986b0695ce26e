"""Ladder side-tuning."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Choice, Space
from harness.method import BaseInfo, Context, Family, Method, TaskInfo

if TYPE_CHECKING:
    from torch import nn


class LadderSideTuning(Method):
    """A small network beside the frozen base reads what each block gives, and adds to the output of the last.

    No gradient goes through the base. Sung et al. make the small network of transformer blocks pruned from the base's
    own; here its blocks are feed-forward networks, one token apart from the other, so that what the frozen blocks give
    is computed once per example. Width and rate are those of the authors' script
    (https://github.com/ylsung/Ladder-Side-Tuning).
    """

    family: ClassVar[Family] = "side"
    source: ClassVar[str] = "Sung et al. 2022, https://arxiv.org/abs/2206.06522"
    learning_rate: ClassVar[float] = 3e-3

    reduction_factor: float = Field(8, gt=0, description="Hidden size divided by the width of the small network.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """ALBERT has one block, so that the last one is the first as well."""
        if base.architecture == "albert":
            return "albert applies one block many times: what is added to the last one's output would feed it again"
        return None

    def apply(self, model: "nn.Module", context: Context) -> "nn.Module":
        """The model, frozen but for its head, with the network beside it."""
        from harness.bases.heads import train_heads_only
        from harness.methods._side import Ladder, attach

        train_heads_only(model, context.head_names)
        base = context.base
        attach(model, Ladder(base.n_blocks, base.hidden_size, self._width(base.hidden_size)))
        return model

    def _width(self, hidden_size: int) -> int:
        return max(1, int(hidden_size / self.reduction_factor))

    def expected_params(self, base: BaseInfo) -> int:
        """D w + 8 w^2 + 7 w + 1 for each rung, and D w from the last one up."""
        hidden, width = base.hidden_size, self._width(base.hidden_size)
        return base.n_blocks * (hidden * width + 8 * width**2 + 7 * width + 1) + hidden * width

    def space(self) -> Space:
        """The width."""
        return {"reduction_factor": Choice((2, 4, 8, 16, 32))}
