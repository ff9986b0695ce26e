"""Spearman's correlation."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._correlation import correlation, is_constant, not_to_correlate, resample_ranks
from harness.metrics._counts import Floats
from harness.storage.predictions import Answers


class Spearman(Metric):
    """Rank correlation; 0 where it is undefined because one side is constant."""

    source: ClassVar[str] = "scipy.stats.spearmanr"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"regression"})
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """Targets that are all the same, or not finite."""
        return not_to_correlate(targets)

    def compute(self, answers: Answers) -> float:
        """In -1..1."""
        from scipy.stats import spearmanr

        if is_constant(answers.targets) or is_constant(answers.predictions):
            return 0.0
        return float(spearmanr(answers.targets.astype(float), answers.predictions.astype(float)).statistic)

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """By weighted moments of the resample's own ranks."""
        targets, predictions = (resample_ranks(values, counts) for values in (answers.targets, answers.predictions))
        return correlation(targets, predictions, counts)
