"""Adversarial training by projected gradient descent."""

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training
from harness.recipes._embedded import Ascent, deviation, same_dropout

if TYPE_CHECKING:
    from torch import Tensor


class PGD(Recipe):
    """Learn the batch moved, in several steps inside a ball, to where the loss is largest, instead of as it is.

    Balls lie around the embedded tokens of a sequence. The source moves pixels; as there, steps are long enough to
    cross the ball and come back: 2.5 epsilon / n_steps. All passes drop the same units.
    """

    source: ClassVar[str] = "Madry et al. 2018, section 2, https://arxiv.org/abs/1706.06083"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})

    epsilon: float = Field(5.0, ge=0, description="Radius of a sequence's ball, in the embeddings' deviations.")
    n_steps: int = Field(3, ge=1, description="Steps of a batch, one more pass each.")

    @property
    def passes(self) -> float:
        """A step passes forward, and back to the input without the gradients of the weights."""
        return 1.0 + self.n_steps

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses of the moved input, shape (B,); what they are beforehand is the task loss on the curve."""
        import torch

        call = same_dropout(lambda: inner(batch))
        radius = self.epsilon * deviation(training)
        ascent = Ascent(2.5 / self.n_steps * radius, radius, self.n_steps)
        (adversarial,) = deque(ascent.losses(training, lambda x: torch.zeros_like(x.float()), call), maxlen=1)
        training.log("pgd/adversarial_loss", adversarial.mean().item())
        return adversarial

    def space(self) -> Space:
        """How far the input is moved, and how carefully."""
        return {"epsilon": Range(0.5, 20.0, log=True), "n_steps": Range(1, 5, integer=True)}
