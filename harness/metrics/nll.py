"""Negative log-likelihood."""

import math
from typing import ClassVar

import numpy as np

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._probabilities import log_probabilities
from harness.storage.predictions import AnswerPart, Answers, Array


class Nll(Metric):
    """Mean negative log-probability of the target in nats; a proper score, lower is better."""

    source: ClassVar[str] = "sklearn.metrics.log_loss"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice"})
    higher_is_better: ClassVar[bool] = False
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    needs: ClassVar[frozenset[AnswerPart]] = frozenset({"scores"})

    def per_example(self, answers: Answers) -> Array:
        """Of each target."""
        return -log_probabilities(answers)[np.arange(len(answers.targets)), answers.targets]
