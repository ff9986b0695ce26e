"""Label smoothing."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._answers import by_row, no_distribution, with_answers

if TYPE_CHECKING:
    from torch import Tensor


class LabelSmoothing(Recipe):
    """Learn a mixture of the right label or token and a uniform distribution over all: less certain of itself."""

    version: ClassVar[int] = 2
    source: ClassVar[str] = "Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567"

    epsilon: float = Field(0.1, ge=0, lt=1, description="Weight of the uniform distribution.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only a label or a token has others to be taken for."""
        return no_distribution("label_smoothing", task)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """(1 - epsilon) times the task's losses, and epsilon times the mean cross-entropy with every label.

        Raises:
            Unsupported: the model gives no logits of labels, choices, words or tokens.
        """
        losses, parts = with_answers(training, batch, lambda: inner(batch))
        added = by_row([-part.log_softmax(-1).mean(-1) for part in parts], batch)
        training.log("label_smoothing/uniform_loss", added.mean().item())
        return (1 - self.epsilon) * losses + self.epsilon * added

    def space(self) -> Space:
        """How much is smoothed."""
        return {"epsilon": Range(0.0, 0.3)}
