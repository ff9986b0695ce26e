"""Class-balanced sampling."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.core.space import Range
from harness.recipe import BaseInfo, Recipe, Space, TaskInfo, Training

if TYPE_CHECKING:
    import numpy as np


class BalancedSampling(Recipe):
    """Draw the examples of a step with replacement, those of rare labels as often as those of frequent ones."""

    source: ClassVar[str] = "Kang et al. 2020, section 3, https://arxiv.org/abs/1910.09217"

    q: float = Field(0.0, ge=0, le=1, description="A label's chance is its number of examples to this power.")
    _rows: Sequence[Any] | None = PrivateAttr(default=None)
    _chances: "list[float]" = PrivateAttr(default_factory=list)

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Labels that an example has one of can be rare."""
        return None if task.kind == "classification" else f"balanced_sampling needs classes; a {task.kind} has none"

    def draw(
        self, training: Training, rows: Sequence[Any], places: Sequence[int], random: "np.random.Generator"
    ) -> Sequence[int]:
        """As many places as are given."""
        if rows is not self._rows:
            counts = Counter(row.example.target for row in rows)
            chances = [counts[row.example.target] ** (self.q - 1) for row in rows]
            self._rows, self._chances = rows, [chance / sum(chances) for chance in chances]
        return [int(place) for place in random.choice(len(rows), size=len(places), p=self._chances)]

    def space(self) -> Space:
        """From equal classes to the classes as they are."""
        return {"q": Range(0.0, 1.0)}
