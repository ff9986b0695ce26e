"""Matthews correlation."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._correlation import all_are, is_constant
from harness.metrics._counts import Floats, ratio, resampled_by_label
from harness.storage.predictions import Answers


class Mcc(Metric):
    """Matthews correlation; 0 where targets or predictions are constant."""

    source: ClassVar[str] = "sklearn.metrics.matthews_corrcoef"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """All targets are the same."""
        return all_are(targets)

    def compute(self, answers: Answers) -> float:
        """In -1..1."""
        from sklearn.metrics import matthews_corrcoef

        if is_constant(answers.targets) or is_constant(answers.predictions):
            return 0.0
        return float(matthews_corrcoef(answers.targets, answers.predictions))

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From the counts of each label."""
        return resampled_by_label(_mcc, answers, counts)


def _mcc(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    """Gorodkin 2004, Comparing two K-category assignments, equation 8."""
    n = of_target.sum(axis=1)
    covariance = hits.sum(axis=1) * n - (of_target * of_prediction).sum(axis=1)
    target_variance = n**2 - (of_target**2).sum(axis=1)
    return ratio(covariance, np.sqrt(target_variance * (n**2 - (of_prediction**2).sum(axis=1))))
