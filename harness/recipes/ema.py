"""Exponential moving average of the weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training

if TYPE_CHECKING:
    from torch import Tensor


class EMA(Recipe):
    """Judge and keep a running average of the trained weights, not the last ones.

    The average starts as the plain mean of all weights so far, as in the authors' code. What is exactly zero, such as
    what a method has pruned, stays so.
    """

    source: ClassVar[str] = "Tarvainen and Valpola 2017, section 2, https://arxiv.org/abs/1703.01780"

    decay: float = Field(0.999, ge=0, lt=1, description="Weight of the average at each step.")
    _average: "list[Tensor]" = PrivateAttr(default_factory=list)

    def begin(self, training: Training) -> None:
        """Start anew."""
        self._average = [parameter.detach().clone() for parameter in training.trained]

    def after_step(self, training: Training) -> None:
        """Move the average towards the weights by 1 - min(decay, 1 - 1 / step)."""
        share = max(1 - self.decay, 1 / training.step)
        for average, parameter in zip(self._average, training.trained, strict=True):
            average.lerp_(parameter.detach(), share)

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        """The average stands in the model inside."""
        trained = training.trained
        before = [parameter.detach().clone() for parameter in trained]
        for parameter, average in zip(trained, self._average, strict=True):
            parameter.data.copy_(average.where(parameter.detach() != 0, 0))
        try:
            yield
        finally:
            for parameter, value in zip(trained, before, strict=True):
                parameter.data.copy_(value)

    def space(self) -> Space:
        """How far back the average reaches."""
        return {"decay": Range(0.9, 0.9999)}
