"""Balanced accuracy."""

from typing import ClassVar

import numpy as np

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.storage.predictions import Answers


class BalancedAccuracy(Metric):
    """Mean over the labels of the share of their examples that is answered right."""

    source: ClassVar[str] = "Brodersen et al. 2010, https://doi.org/10.1109/ICPR.2010.764"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})

    def compute(self, answers: Answers) -> float:
        """In 0..1; a label that is no target has no share."""
        is_right = answers.targets == answers.predictions
        return float(np.mean([is_right[answers.targets == label].mean() for label in np.unique(answers.targets)]))
