"""Virtual adversarial training."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._answers import by_row, divergence, no_distribution, with_answers
from harness.recipes._embedded import answers_at, deviation, gradients, real, same_dropout, unit, watched

if TYPE_CHECKING:
    from torch import Tensor

    from harness.recipes._embedded import Moves


class VAT(Recipe):
    """Keep the answers as they are where the embedded tokens move to where they would change most; labels have no part.

    The direction is found from a random one by one step of the power iteration. The authors take it from 0.1 units
    away; 1 here, as logits in half precision can't tell less apart. All passes drop the same units.
    """

    source: ClassVar[str] = "Miyato et al. 2017, section 3, equation 5, https://arxiv.org/abs/1605.07725"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})

    epsilon: float = Field(5.0, ge=0, description="Length of the move of a sequence, in the embeddings' deviations.")
    weight: float = Field(1.0, ge=0, description="Weight of the divergence.")
    start: float = Field(1.0, gt=0, description="Length of the random move that it is found from, in deviations.")

    @property
    def passes(self) -> float:
        """The plain input, the gradient at the random one, and the moved one."""
        return 3.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Answers must be distributions."""
        return no_distribution("vat", task)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and the divergence of the moved input's answers from the plain ones, shape (B,)."""
        import torch

        call, scale = same_dropout(lambda: inner(batch)), deviation(training)
        (losses, embedded), answers = with_answers(training, batch, lambda: watched(training, call))
        plain = [logits.detach() for logits in answers]

        def change(moves: "Moves") -> "Tensor":
            answers = answers_at(training, moves, batch, call)
            return by_row([divergence(p, q) for p, q in zip(plain, answers, strict=True)], batch)

        random = unit([real(torch.randn_like(x.detach().float()), batch) for x in embedded])
        near = [(self.start * scale * move).requires_grad_() for move in random]
        ahead = unit(gradients(change(near).sum(), near))
        added = change([self.epsilon * scale * move for move in ahead])
        training.log("vat/divergence", added.mean().item())
        return losses + self.weight * added

    def space(self) -> Space:
        """How far the input is moved, and how much that counts."""
        return {"epsilon": Range(0.5, 20.0, log=True), "weight": Range(0.1, 10.0, log=True)}
