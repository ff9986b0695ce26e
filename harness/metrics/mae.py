"""Mean absolute error."""

import math
from typing import ClassVar

import numpy as np

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.storage.predictions import Answers, Array


class Mae(Metric):
    """Mean absolute error, in the target's unit; lower is better."""

    source: ClassVar[str] = "sklearn.metrics.mean_absolute_error"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    higher_is_better: ClassVar[bool] = False
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def per_example(self, answers: Answers) -> Array:
        """The distance of each prediction from its target."""
        return np.abs(answers.targets - answers.predictions)
