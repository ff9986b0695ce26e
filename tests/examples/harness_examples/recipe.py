"""R-Drop: two passes with different dropout must agree."""

from typing import Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training


class RDrop(Recipe):
    """Pull the answers of two passes over a batch, with other units dropped in each, towards each other."""

    source: ClassVar[str] = "Liang et al. 2021, https://arxiv.org/abs/2106.14448"
    passes: ClassVar[float] = 2.0

    alpha: float = Field(1.0, ge=0, description="Weight of the divergence.")

    def losses(self, training: Training, batch: Any, inner: Losses) -> Any:
        """The task's losses of both passes, and the symmetric Kullback-Leibler divergence per row."""
        from torch.nn.functional import kl_div

        with training.outputs() as outputs:
            losses = inner(batch) + inner(batch)
        one, other = (output.logits.float().log_softmax(-1) for output in outputs)
        both = kl_div(one, other, log_target=True, reduction="none") + kl_div(
            other, one, log_target=True, reduction="none"
        )
        divergence = both.sum() / 2 / len(batch.rows)
        training.log(f"{self.name}/divergence", divergence.item())
        return losses + self.alpha * divergence

    def space(self) -> Space:
        """The range of the paper."""
        return {"alpha": Range(0.1, 10.0, log=True)}
