"""F1 of one label among two."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._counts import Floats, ratio, resampled_by_label
from harness.storage.predictions import Answers

ONLY_TWO = "is that of label 1 among two labels"


class F1(Metric):
    """F1 of label 1, as GLUE has it; 0 if it is neither a target nor predicted."""

    source: ClassVar[str] = "sklearn.metrics.f1_score"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification"})

    def unfit(self, n_labels: int) -> str | None:
        """More than two labels."""
        return f"{ONLY_TWO}; this task has {n_labels}: use macro_f1" if n_labels > 2 else None

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """No target has label 1."""
        return "no target has label 1" if 1 not in targets else None

    def compute(self, answers: Answers) -> float:
        """In 0..1."""
        from sklearn.metrics import f1_score

        if not {*answers.targets.tolist(), *answers.predictions.tolist()} <= {0, 1}:
            raise SpecError(f"metric f1 {ONLY_TWO}; there are more: use macro_f1")
        return float(f1_score(answers.targets == 1, answers.predictions == 1, zero_division=0))

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From the counts of label 1."""
        return resampled_by_label(_f1, answers, counts, np.array([1]))


def _f1(hits: Floats, of_target: Floats, of_prediction: Floats) -> Floats:
    return ratio(2 * hits, of_target + of_prediction)[:, 0]
