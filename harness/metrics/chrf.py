"""chrF."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.libraries.sacrebleu import resampled_scores
from harness.metric import Metric
from harness.metrics._counts import Floats
from harness.storage.predictions import Answers


class Chrf(Metric):
    """Corpus chrF2 by sacreBLEU, in 0..1."""

    source: ClassVar[str] = "sacreBLEU (Popović 2015, https://aclanthology.org/W15-3049)"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"generation"})

    def compute(self, answers: Answers) -> float:
        """In 0..1."""
        from sacrebleu import corpus_chrf

        return float(corpus_chrf(answers.predictions.tolist(), [answers.targets.tolist()]).score) / 100

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From sums of sufficient statistics."""
        from sacrebleu.metrics import CHRF

        return resampled_scores(CHRF(), answers, counts)
