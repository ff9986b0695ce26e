"""Root mean squared error."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._counts import Floats
from harness.storage.predictions import Answers


class Rmse(Metric):
    """Root of the mean squared error, in the target's unit; lower is better."""

    source: ClassVar[str] = "sklearn.metrics.root_mean_squared_error"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    higher_is_better: ClassVar[bool] = False
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def compute(self, answers: Answers) -> float:
        """At least 0."""
        return float(np.sqrt(np.mean((answers.targets - answers.predictions) ** 2)))

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From sums of squared errors."""
        squares = (answers.targets - answers.predictions) ** 2
        return np.asarray(np.sqrt(counts.astype(float) @ squares / len(squares)))
