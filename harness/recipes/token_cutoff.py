"""Token cutoff."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._answers import by_row, divergence, mixture, no_distribution, with_answers
from harness.recipes._embedded import rewritten

if TYPE_CHECKING:
    from torch import Tensor


class TokenCutoff(Recipe):
    """Learn each batch a second time with some tokens blank, and the same answer to both."""

    source: ClassVar[str] = "Shen et al. 2020, section 3, https://arxiv.org/abs/2009.13818"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})  # the embedded tokens must be those of the pass

    rate: float = Field(0.1, ge=0, lt=1, description="Share of the tokens whose embedding is zero; padding has none.")
    alpha: float = Field(1.0, ge=0, description="Weight of the loss of what is left.")
    beta: float = Field(1.0, ge=0, description="Weight of the Jensen-Shannon divergence of both answers.")

    @property
    def passes(self) -> float:
        """The whole and the cut input."""
        return 2.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Answers must be distributions, and a word that is labelled must be read."""
        if task.kind == "token_classification":
            return "token_cutoff would blank words that are to be labelled"
        return no_distribution("token_cutoff", task)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses of the whole input and of the cut one, and their divergence, shape (B,)."""
        import torch

        def blank(embedded: "Tensor") -> "Tensor":
            kept = torch.rand(embedded.shape[:2], device=embedded.device) >= self.rate
            return embedded * kept.unsqueeze(-1)

        whole, one = with_answers(training, batch, lambda: inner(batch))
        cut, other = with_answers(training, batch, lambda: rewritten(training, blank, lambda: inner(batch)))
        pairs = [(p, q, mixture(p, q)) for p, q in zip(one, other, strict=True)]
        apart = by_row([(divergence(p, m) + divergence(q, m)) / 2 for p, q, m in pairs], batch)
        training.log("token_cutoff/cut_loss", cut.mean().item())
        training.log("token_cutoff/divergence", apart.mean().item())
        return whole + self.alpha * cut + self.beta * apart

    def space(self) -> Space:
        """The shares that the authors try, and the weights."""
        return {"rate": Range(0.05, 0.3), "alpha": Range(0.1, 3.0, log=True), "beta": Range(0.1, 3.0, log=True)}
