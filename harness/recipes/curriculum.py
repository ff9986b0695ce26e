"""Curriculum by length."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Recipe, Space, Training

if TYPE_CHECKING:
    import numpy as np


class Curriculum(Recipe):
    """Begin with the shortest examples; those drawn from grow with the square root of time until all are in.

    From then on every example comes once in an epoch, as always.
    """

    source: ClassVar[str] = "Platanios et al. 2019, section 3, https://arxiv.org/abs/1903.09848"

    start: float = Field(0.01, gt=0, le=1, description="Share of the examples at first; at least those of a step.")
    duration: float = Field(0.5, gt=0, le=1, description="Share of the steps until all are in.")

    def draw(
        self, training: Training, rows: Sequence[Any], places: Sequence[int], random: "np.random.Generator"
    ) -> Sequence[int]:
        """As many of the shortest as are given, without replacement."""
        share = self.competence((training.step - 1) / (self.duration * training.n_steps))
        if share >= 1:
            return places
        shortest = sorted(range(len(rows)), key=lambda place: rows[place].length)
        known = shortest[: max(len(places), math.ceil(share * len(rows)))]
        training.log("curriculum/share", len(known) / len(rows))
        return [int(place) for place in random.choice(known, size=len(places), replace=len(places) > len(known))]

    def competence(self, time: float) -> float:
        """The share of the examples at a time, of which 1 is the end of the curriculum."""
        return min(1.0, math.sqrt(time * (1 - self.start**2) + self.start**2))

    def space(self) -> Space:
        """A short curriculum to one as long as the training."""
        return {"duration": Range(0.1, 1.0)}
