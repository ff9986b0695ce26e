"""Adversarial training by the fast gradient method."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training
from harness.recipes._embedded import deviation, gradients, moved, unit, watched

if TYPE_CHECKING:
    from torch import Tensor


class FGM(Recipe):
    """Learn every batch a second time with its embedded tokens moved to where the loss grows fastest.

    The authors normalize the embeddings to unit variance; here epsilon is in units of their standard deviation.
    """

    source: ClassVar[str] = "Miyato et al. 2017, section 3, https://arxiv.org/abs/1605.07725"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})

    epsilon: float = Field(5.0, ge=0, description="Length of the step of a sequence, in standard deviations.")

    @property
    def passes(self) -> float:
        """The gradient with respect to the input passes back without those of the weights."""
        return 2.5

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's losses and those of the moved input, shape (B,)."""
        length = self.epsilon * deviation(training)
        plain, embedded = watched(training, lambda: inner(batch))
        moves = [length * move for move in unit(gradients(plain.sum(), embedded))]
        adversarial = moved(training, moves, lambda: inner(batch))
        training.log("fgm/adversarial_loss", adversarial.mean().item())
        return plain + adversarial

    def space(self) -> Space:
        """How far the input is moved."""
        return {"epsilon": Range(0.5, 20.0, log=True)}
