"""Accuracy."""

from typing import ClassVar

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.storage.predictions import Answers, Array


class Accuracy(Metric):
    """Share of right answers."""

    source: ClassVar[str] = "sklearn.metrics.accuracy_score"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "multiple_choice"})

    def per_example(self, answers: Answers) -> Array:
        """Whether the prediction is the target."""
        return answers.targets == answers.predictions
