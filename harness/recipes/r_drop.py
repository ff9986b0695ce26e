"""R-Drop: two passes with different dropout must agree."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._answers import by_row, no_distribution, symmetric, with_answers

if TYPE_CHECKING:
    from torch import Tensor


class RDrop(Recipe):
    """Pull the answers of two passes over a batch, with other units dropped in each, towards each other.

    Where neither base nor method drops anything both passes are the same, and the loss is only doubled.
    """

    source: ClassVar[str] = "Liang et al. 2021, equations 1 to 4, https://arxiv.org/abs/2106.14448"

    alpha: float = Field(1.0, ge=0, description="Weight of the divergence.")

    @property
    def passes(self) -> float:
        """Two."""
        return 2.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Answers must be distributions."""
        return no_distribution("r_drop", task)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses of both passes, and half of the symmetric divergence of their answers, shape (B,)."""
        first, one = with_answers(training, batch, lambda: inner(batch))
        second, other = with_answers(training, batch, lambda: inner(batch))
        apart = by_row([symmetric(p, q) / 2 for p, q in zip(one, other, strict=True)], batch)
        training.log("r_drop/divergence", apart.mean().item())
        return first + second + self.alpha * apart

    def space(self) -> Space:
        """The range of the paper."""
        return {"alpha": Range(0.1, 10.0, log=True)}
