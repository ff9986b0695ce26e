"""Class weights."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.space import Range
from harness.recipe import BaseInfo, Example, Losses, Recipe, Space, TaskInfo, Training

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class ClassWeights(Recipe):
    """Weigh the loss of an example by how rare its label is in train; the weights of all labels are 1 on average."""

    source: ClassVar[str] = "Cui et al. 2019, section 3.3, https://arxiv.org/abs/1901.05555"

    beta: float = Field(0.999, ge=0, lt=1, description="0: equal weights; near 1: one over the number of examples.")
    _weights: dict[Any, float] = PrivateAttr(default_factory=dict)

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Labels that an example has one of can be rare."""
        return None if task.kind == "classification" else f"class_weights needs classes; a {task.kind} has none"

    def begin(self, training: Training) -> None:
        """Nothing is counted yet."""
        self._weights = {}

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same; their labels are counted."""
        counts = Counter(example.target for example in train)
        weights = {label: (1 - self.beta) / (1 - self.beta**count) for label, count in counts.items()}
        scale = len(weights) / sum(weights.values())
        self._weights = {label: scale * weight for label, weight in weights.items()}
        return train

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """Each example's loss times its label's weight, shape (B,).

        Before an epoch has begun, as in a forecast, all weigh the same.
        """
        losses = inner(batch)
        if not self._weights:
            return losses
        return losses * losses.new_tensor([self._weights[row.example.target] for row in batch.rows])

    def space(self) -> Space:
        """The paper's own values, and between."""
        return {"beta": Range(0.9, 0.9999)}
