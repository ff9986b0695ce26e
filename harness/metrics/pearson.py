"""Pearson's correlation."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._correlation import correlation, is_constant, not_to_correlate
from harness.metrics._counts import Floats
from harness.storage.predictions import Answers


class Pearson(Metric):
    """Linear correlation; 0 where it is undefined because one side is constant."""

    source: ClassVar[str] = "scipy.stats.pearsonr"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """Targets that are all the same, or not finite."""
        return not_to_correlate(targets)

    def compute(self, answers: Answers) -> float:
        """In -1..1."""
        from scipy.stats import pearsonr

        if is_constant(answers.targets) or is_constant(answers.predictions):
            return 0.0
        return float(pearsonr(answers.targets.astype(float), answers.predictions.astype(float)).statistic)

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """By weighted moments."""
        return correlation(answers.targets, answers.predictions, counts)
