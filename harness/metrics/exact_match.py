"""Exact match."""

from typing import ClassVar

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.storage.predictions import Answers, Array


class ExactMatch(Metric):
    """Share of texts that equal the target, both normalized by the task."""

    source: ClassVar[str] = "Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"generation"})

    def per_example(self, answers: Answers) -> Array:
        """Whether the texts are equal."""
        return answers.targets == answers.predictions
