"""FreeLB: adversarial training that learns from every step on the way."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.info import Need
from harness.core.space import Range
from harness.recipe import Losses, Recipe, Space, Training
from harness.recipes._embedded import Ascent, deviation, real, same_dropout, unit

if TYPE_CHECKING:
    from torch import Tensor


class FreeLB(Recipe):
    """Learn the mean of the losses along a walk of the embedded tokens up the loss, which begins at a random place.

    Lengths are in standard deviations of the embeddings; the authors choose theirs, absolute ones, for each task. All
    passes drop the same units.
    """

    source: ClassVar[str] = "Zhu et al. 2020, algorithm 1, https://arxiv.org/abs/1909.11764"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradients"})

    n_steps: int = Field(3, ge=1, description="Points whose losses are learned, one pass each.")
    start: float = Field(1.0, ge=0, description="Distance at which a sequence's walk begins, in deviations.")
    step: float = Field(2.0, ge=0, description="Length of a step of a sequence, in deviations.")
    epsilon: float = Field(5.0, ge=0, description="Radius that the walk does not leave, in deviations.")

    @property
    def passes(self) -> float:
        """Each point is passed forward and back; before each but the first the gradient of the input was asked for."""
        return 1.5 * self.n_steps - 0.5

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The mean of the task's losses at the points, shape (B,); those of the plain input are not among them."""
        import torch

        scale = deviation(training)

        def start(embedded: "Tensor") -> "Tensor":
            (noise,) = unit([real(2 * torch.rand_like(embedded.float()) - 1, batch)])
            return self.start * scale * noise

        ascent = Ascent(self.step * scale, self.epsilon * scale, self.n_steps - 1)
        walked = torch.stack(list(ascent.losses(training, start, same_dropout(lambda: inner(batch)))))
        training.log("freelb/last_loss", walked[-1].mean().item())
        return walked.mean(0)

    def space(self) -> Space:
        """How far the walk goes."""
        return {"start": Range(0.0, 5.0), "step": Range(0.1, 10.0, log=True), "n_steps": Range(1, 5, integer=True)}
