"""Exponential moving average of the weights."""

from typing import ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Space, Training
from harness.recipes._average import WeightAverage


class EMA(WeightAverage):
    """Judge and keep a running average of the trained weights, not the last ones.

    The average starts as the plain mean of all weights so far, as in the authors' code. What is exactly zero, such as
    what a method has pruned, stays so.
    """

    source: ClassVar[str] = "Tarvainen and Valpola 2017, section 2, https://arxiv.org/abs/1703.01780"

    decay: float = Field(0.999, ge=0, lt=1, description="Weight of the average at each step.")

    def after_step(self, training: Training) -> None:
        """Move the average towards the weights by 1 - min(decay, 1 - 1 / step)."""
        self.move(training, max(1 - self.decay, 1 / training.step))

    def space(self) -> Space:
        """How far back the average reaches."""
        return {"decay": Range(0.9, 0.9999)}
