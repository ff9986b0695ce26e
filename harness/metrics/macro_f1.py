"""F1 averaged over labels."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._counts import Floats, ratio, resampled_by_label
from harness.storage.predictions import Answers


class MacroF1(Metric):
    """Unweighted mean of F1 over the labels that occur in targets or predictions."""

    source: ClassVar[str] = "sklearn.metrics.f1_score(average='macro')"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})

    def compute(self, answers: Answers) -> float:
        """In 0..1."""
        from sklearn.metrics import f1_score

        return float(f1_score(answers.targets, answers.predictions, average="macro", zero_division=0))

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From the counts of each label."""
        return resampled_by_label(_macro_f1, answers, counts)


def _macro_f1(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    """Mean over the labels that the resample has in its targets or predictions."""
    present = of_target + of_prediction > 0
    return np.asarray(ratio(2 * hits, of_target + of_prediction).sum(axis=1) / present.sum(axis=1))
