"""SimCSE: contrastive learning of the texts beside the task."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._unlabelled import row_means, token_states

if TYPE_CHECKING:
    from torch import Tensor


class SimCSE(Recipe):
    """Tell each text's embedding, under other dropout, from those of the other texts of its pass, beside the task.

    Embeddings are the mean of the tokens, as sentence encoders have them; the source takes the first token's. On a
    processor the texts of a pass are of similar length. Without dropout there is nothing to tell.
    """

    is_shareable: ClassVar[bool] = False  # a text is told apart from all others of the pass
    source: ClassVar[str] = "Gao et al. 2021, equation 4, https://arxiv.org/abs/2104.08821"
    needs: ClassVar[frozenset[Need]] = frozenset({"hidden_states"})

    weight: float = Field(0.1, ge=0, description="Weight of the contrastive loss; the source trains on it alone.")
    temperature: float = Field(0.05, gt=0, description="Cosines are divided by it.")
    task_weight: float = Field(1.0, ge=0, description="Weight of the task's loss; 0 learns from the texts alone.")

    @property
    def passes(self) -> float:
        """The task's, and two to be told apart."""
        return 3.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Only an encoder's tokens have read the whole text."""
        return None if base.kind == "encoder" else f"simcse needs an encoder; this base is {base.kind}"

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and the cross-entropy of finding the same text again, by row, shape (B,)."""
        import torch
        from torch.nn.functional import cross_entropy

        losses = inner(batch)
        one, other = (self._embedded(training, batch.inputs) for _ in range(2))
        cosines = one @ other.T / self.temperature
        found = cross_entropy(cosines, torch.arange(len(one), device=one.device), reduction="none")
        training.log("simcse/loss", found.mean().item())
        added = row_means(found.unsqueeze(1), torch.ones_like(found, dtype=torch.bool).unsqueeze(1), batch)
        return self.task_weight * losses + self.weight * added

    def _embedded(self, training: Training, inputs: "dict[str, Tensor]") -> "Tensor":
        """Unit vectors, float32, shape (sequences, D)."""
        from torch.nn.functional import normalize

        mask = inputs["attention_mask"].unsqueeze(-1)
        states = token_states(training, inputs).float()
        return normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def space(self) -> Space:
        """How much it counts beside the task, and how sharply."""
        return {"weight": Range(0.01, 1.0, log=True), "temperature": Range(0.01, 0.5, log=True)}
