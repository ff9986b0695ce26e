"""Stochastic weight averaging."""

from typing import ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Space, Training
from harness.recipes._average import WeightAverage


class SWA(WeightAverage):
    """Judge and keep the plain mean of the trained weights at the steps of the last part of training.

    The authors hold the rate constant or let it cycle meanwhile: ``training.schedule=constant`` is theirs. What is
    exactly zero, such as what a method has pruned, stays so.
    """

    source: ClassVar[str] = "Izmailov et al. 2018, algorithm 1, https://arxiv.org/abs/1803.05407"

    start: float = Field(0.75, ge=0, lt=1, description="Share of the steps before the first that counts.")
    every: int = Field(1, ge=1, description="Steps from one that counts to the next.")

    def after_step(self, training: Training) -> None:
        """Take the weights into the mean, at the steps that count."""
        since = training.step - 1 - int(self.start * training.n_steps)
        if since >= 0 and since % self.every == 0:
            self.move(training, 1 / (1 + since // self.every))

    def space(self) -> Space:
        """From a quarter of the training to its last tenth."""
        return {"start": Range(0.25, 0.9)}
