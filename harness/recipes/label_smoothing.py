"""Label smoothing."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.errors import Unsupported
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training

if TYPE_CHECKING:
    from torch import Tensor


class LabelSmoothing(Recipe):
    """Learn a mixture of the right label or token and a uniform distribution over all: less certain of itself."""

    source: ClassVar[str] = "Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567"

    epsilon: float = Field(0.1, ge=0, lt=1, description="Weight of the uniform distribution.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only a label or a token has others to be taken for."""
        return "label_smoothing needs labels; regression has none" if task.kind == "regression" else None

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """(1 - epsilon) times the task's losses, and epsilon times the mean cross-entropy with every label.

        Raises:
            Unsupported: the logits are not those of the labels, or tokens, of one row after another.
        """
        import torch

        with training.outputs() as outputs:
            losses = inner(batch)
        logits = outputs[-1].logits.float()  # (N, L), N what is answered: a label, or the tokens of an answer
        counts = [sum(len(span.token_ids) for span in row.spans) or 1 for row in batch.rows]
        if logits.dim() != 2 or logits.shape[1] == 1 or len(logits) != sum(counts):
            raise Unsupported("label_smoothing needs one label or one answer per example in this formulation")
        uniform = -torch.log_softmax(logits, dim=-1).mean(-1)
        added = torch.stack([part.mean() for part in uniform.split(counts)])
        training.log("label_smoothing/uniform_loss", added.mean().item())
        return (1 - self.epsilon) * losses + self.epsilon * added

    def space(self) -> Space:
        """How much is smoothed."""
        return {"epsilon": Range(0.0, 0.3)}
