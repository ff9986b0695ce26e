"""SMART: smoothness-inducing adversarial regularization."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import BaseInfo, Losses, Recipe, Space, TaskInfo, Training
from harness.recipes._answers import by_row, no_distribution, symmetric, with_answers
from harness.recipes._embedded import answers_at, deviation, gradients, real, same_dropout, watched

if TYPE_CHECKING:
    from torch import Tensor

    from harness.recipes._embedded import Moves


class SMART(Recipe):
    """Let the answers differ little, in the symmetric divergence, from those at the worst input inside a small cube.

    One step of ascent, the largest component as long as the cube allows, from a random place in it. The authors' paper
    has a cube of 1e-5, their code one of 1 around each token; the default lies between, at about the length of fgm's
    step. Their Bregman proximal point method is left out, and so is regression. All passes drop the same units.
    """

    source: ClassVar[str] = "Jiang et al. 2020, section 3.1, https://arxiv.org/abs/1911.03437"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})

    epsilon: float = Field(0.1, ge=0, description="Largest move of each component, in the embeddings' deviations.")
    weight: float = Field(1.0, ge=0, description="Weight of the divergence.")

    @property
    def passes(self) -> float:
        """The plain input, the gradient at the random one, and the moved one."""
        return 3.0

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Answers must be distributions."""
        return no_distribution("smart", task)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and the divergence between plain and moved answers, shape (B,)."""
        import torch

        call, edge = same_dropout(lambda: inner(batch)), self.epsilon * deviation(training)
        (losses, embedded), plain = with_answers(training, batch, lambda: watched(training, call))

        def change(moves: "Moves") -> "Tensor":
            answers = answers_at(training, moves, batch, call)
            return by_row([symmetric(p, q) for p, q in zip(plain, answers, strict=True)], batch)

        near = [real(edge * (2 * torch.rand_like(x.detach().float()) - 1), batch).requires_grad_() for x in embedded]
        steep = gradients(change(near).sum(), near)
        tops = [g.abs().amax((1, 2), keepdim=True).clamp_min(1e-12) for g in steep]
        ahead = zip(near, steep, tops, strict=True)
        added = change([(x.detach() + edge * g / top).clamp(-edge, edge) for x, g, top in ahead])
        training.log("smart/divergence", added.mean().item())
        return losses + self.weight * added

    def space(self) -> Space:
        """How far the input is moved, and how much that counts."""
        return {"epsilon": Range(0.01, 1.0, log=True), "weight": Range(0.1, 10.0, log=True)}
