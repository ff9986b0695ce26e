"""What recipes share that judge an average of the trained weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from harness.recipe import Recipe, Training

if TYPE_CHECKING:
    from torch import Tensor


class WeightAverage(Recipe):
    """An average of the trained weights, which stands in the model while it is judged and kept.

    What is exactly zero, such as what a method has pruned, stays so. Before the first ``move`` the weights themselves
    are judged.
    """

    _average: "list[Tensor]" = PrivateAttr(default_factory=list)
    _n_moves: int = PrivateAttr(default=0)

    def begin(self, training: Training) -> None:
        """Start anew."""
        self._average = [parameter.detach().clone() for parameter in training.trained]
        self._n_moves = 0

    def move(self, training: Training, share: float) -> None:
        """Make the weights a share of the average; the first time all of it."""
        self._n_moves += 1
        for average, parameter in zip(self._average, training.trained, strict=True):
            average.lerp_(parameter.detach(), share if self._n_moves > 1 else 1.0)

    def state_dict(self) -> dict[str, Any]:
        """The average so far."""
        return {"average": self._average, "n_moves": self._n_moves}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with it."""
        self._n_moves = state["n_moves"]
        for average, value in zip(self._average, state["average"], strict=True):
            average.copy_(value)

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        """The average stands in the model inside."""
        if not self._n_moves:
            yield
            return
        trained = training.trained
        before = [parameter.detach().clone() for parameter in trained]
        for parameter, average in zip(trained, self._average, strict=True):
            parameter.data.copy_(average.where(parameter.detach() != 0, 0))
        try:
            yield
        finally:
            for parameter, value in zip(trained, before, strict=True):
                parameter.data.copy_(value)
