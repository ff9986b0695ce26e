"""Confidence penalty: answers shall not be surer than they need to be."""

from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training


class ConfidencePenalty(Recipe):
    """Reward entropy of the answers."""

    source: ClassVar[str] = "Pereyra et al. 2017, https://arxiv.org/abs/1701.06548"

    beta: float = Field(0.1, ge=0, description="Weight of the entropy.")

    def losses(self, training: Training, batch: Any, inner: Losses) -> Any:
        """The task's losses less beta times the mean entropy, shape (B,)."""
        with training.outputs() as outputs:
            losses = inner(batch)
        log_p = outputs[-1].logits.float().log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1).mean()
        training.log(f"{self.name}/entropy", entropy.item())
        return losses - self.beta * entropy

    def space(self) -> Space:
        """The range of the paper."""
        return {"beta": Range(0.01, 10.0, log=True)}
