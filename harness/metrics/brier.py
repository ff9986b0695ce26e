"""Brier score."""

from typing import ClassVar

import numpy as np

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._probabilities import log_probabilities
from harness.storage.predictions import AnswerPart, Answers, Array


class Brier(Metric):
    """Squared distance of the probabilities from the target's 1 and the others' 0, by half: 0 to 1, lower is better."""

    source: ClassVar[str] = "Brier 1950, https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice"})
    higher_is_better: ClassVar[bool] = False
    needs: ClassVar[frozenset[AnswerPart]] = frozenset({"scores"})

    def per_example(self, answers: Answers) -> Array:
        """Of each example."""
        distance = np.exp(log_probabilities(answers))
        distance[np.arange(len(distance)), answers.targets] -= 1
        return np.asarray((distance**2).sum(axis=1) / 2)
