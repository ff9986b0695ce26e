"""Canaries among the training examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.seeds import derive
from harness.data.canaries import secrets
from harness.recipe import BaseInfo, Example, Recipe, TaskInfo, Training


class Canaries(Recipe):
    """Put random texts in the place of some training examples: the probe `exposure` tells if they are remembered."""

    source: ClassVar[str] = "Carlini et al. 2019, section 4, https://arxiv.org/abs/1802.08232"
    relabels: ClassVar[bool] = True

    number: int = Field(8, ge=1, description="Canaries.")
    repeats: int = Field(4, ge=1, description="Training examples that each takes the place of, in every epoch.")
    _seed: int = PrivateAttr(default=0)

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A random text needs an answer that says nothing of it."""
        return None if task.kind == "classification" else f"canaries need labels to be given; a {task.kind} has none"

    def begin(self, training: Training) -> None:
        """What is planted, and where, depends on the run's seed alone."""
        self._seed = training.seed

    def examples(self, train: Sequence[Example], epoch: int, random: np.random.Generator) -> Sequence[Example]:
        """The same in every epoch.

        Raises:
            Unsupported: they would take the place of more than half.
        """
        changed = list(train)
        for canary, places in self._planted(train, self._seed):
            for place in places:
                changed[place] = replace(canary, id=train[place].id)
        return changed

    def planted(self, train: Sequence[Example], seed: int) -> list[Example]:
        """Every canary as it was learned, by its number.

        Args:
            train: The examples of the run, unchanged.
            seed: The run's.
        """
        return [canary for canary, _ in self._planted(train, seed)]

    def _planted(self, train: Sequence[Example], seed: int) -> list[tuple[Example, Sequence[int]]]:
        """Each canary with the places that it takes; its label is any of those that train has."""
        if 2 * self.number * self.repeats > len(train):
            raise Unsupported(
                f"{self.number} canaries, {self.repeats} times each, would be more than half of {len(train)} training "
                "examples; lower recipe.canaries.number or recipe.canaries.repeats"
            )
        drawn = np.random.default_rng(derive(seed, "recipe/canaries"))
        known = sorted({example.target for example in train if isinstance(example.target, int)})
        labels = drawn.choice(known, size=self.number).tolist()
        places = drawn.permutation(len(train))[: self.number * self.repeats].reshape(self.number, self.repeats).tolist()
        return [
            (with_secret(replace(train[taken[0]], target=label), secrets(seed, number, 1)[0]), taken)
            for number, (label, taken) in enumerate(zip(labels, places, strict=True))
        ]


def with_secret(example: Example, secret: str) -> Example:
    """The example with nothing but the secret in each of its texts."""
    return replace(example, fields=dict.fromkeys(example.fields, secret))
