"""Gradual unfreezing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.space import Range
from harness.recipe import Recipe, Space, Training
from harness.recipes._depths import cut_by_depth

if TYPE_CHECKING:
    from torch.optim import Optimizer


class GradualUnfreezing(Recipe):
    """Train the head and the last block first, then one block more after another, the embeddings at last.

    The source adds a layer at each epoch; here they are added evenly over a share of the steps. A block's rate is zero
    until its turn; the optimizer's moments are gathered all the same, and no time is saved.
    """

    source: ClassVar[str] = "Howard and Ruder 2018, section 3.3, https://arxiv.org/abs/1801.06146"

    share: float = Field(0.5, gt=0, le=1, description="Share of the steps after which everything is trained.")
    _optimizer: "Optimizer | None" = PrivateAttr(default=None)

    def begin(self, training: Training) -> None:
        """There may be no optimizer: a forecast takes steps without one."""
        self._optimizer = None

    def groups(self, training: Training, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each group cut by depth.

        Raises:
            Unsupported: what is trained lies in no more than one block.
        """
        cut = [
            group | {"params": parameters, "depth": depth}
            for group in groups
            for depth, parameters in cut_by_depth(training, group).items()
        ]
        if len({group["depth"] for group in cut}) == 1:
            raise Unsupported("gradual_unfreezing needs trained weights in several blocks; this method has none")
        return cut

    def optimizer(
        self, groups: list[dict[str, Any]], inner: "Callable[[list[dict[str, Any]]], Optimizer]"
    ) -> "Optimizer":
        """The usual one, whose rates are changed later."""
        self._optimizer = inner(groups)
        return self._optimizer

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The gradients as ever; the schedule has set this step's rates, and those of frozen blocks become zero."""
        groups = self._optimizer.param_groups if self._optimizer else []
        deepest = max((group["depth"] for group in groups), default=0)
        reached = int(deepest * (training.step - 1) / (self.share * training.n_steps))
        for group in groups:
            if group["depth"] > reached:
                group["lr"] = 0.0
        return inner()

    def space(self) -> Space:
        """From soon to the very end."""
        return {"share": Range(0.1, 1.0)}
