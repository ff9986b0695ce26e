"""Noisy labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.seeds import derive
from harness.recipe import BaseInfo, Example, Recipe, TaskInfo, Training

if TYPE_CHECKING:
    import numpy as np


class NoisyLabels(Recipe):
    """Train on labels of which some are wrong, the same in all epochs: how much does a method suffer from them?

    A wrong label is each of the others of train alike (symmetric noise). Validation and test stay right.
    """

    source: ClassVar[str] = "Patrini et al. 2017, section 5, https://arxiv.org/abs/1609.03683"
    relabels: ClassVar[bool] = True

    rate: float = Field(0.2, ge=0, lt=1, description="Probability that a training label is wrong.")
    _seed: int = PrivateAttr(default=0)

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A label, or a choice, has others to be taken for."""
        if task.kind in ("classification", "multiple_choice"):
            return None
        return f"noisy_labels needs labels or choices; a {task.kind} has none"

    def begin(self, training: Training) -> None:
        """Which labels are wrong depends on the run's seed alone."""
        self._seed = training.seed

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples, some with another label."""
        import numpy as np

        if self.rate == 0:
            return train
        fixed = np.random.default_rng(derive(self._seed, "recipe/noisy_labels"))
        labels = sorted({int(example.target) for example in train if isinstance(example.target, int)})
        is_wrong, drawn = fixed.random((2, len(train)))
        return [
            replace(example, target=_another(example, labels, number)) if chance < self.rate else example
            for example, chance, number in zip(train, is_wrong, drawn, strict=True)
        ]


def _another(example: Example, labels: Sequence[int], number: float) -> int:
    """One of the other labels, or of the example's other choices, by a number in 0..1."""
    allowed = range(len(example.choices)) if example.choices else labels
    others = [label for label in allowed if label != example.target]
    return others[int(number * len(others))]
