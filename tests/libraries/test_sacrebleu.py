"""sacreBLEU's private names still are what its own corpus score is made of."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from harness.libraries.sacrebleu import resampled_scores
from harness.storage.predictions import Answers

TARGETS = ["the cat sat on the mat", "a dog runs over the field", "no one knows"]
PREDICTIONS = ["the cat sat on a mat", "a dog ran over the field", "none knows"]


@pytest.mark.parametrize("metric", [BLEU(effective_order=True), CHRF()])
def test_scores_from_statistics_are_corpus_scores(metric: BLEU | CHRF) -> None:
    counts = np.array([[1, 1, 1], [3, 0, 0], [0, 1, 2]], dtype=np.float32)
    found = resampled_scores(metric, Answers.of(TARGETS, PREDICTIONS), counts)
    for row, score in zip(counts.astype(int), found, strict=True):
        predictions, targets = (
            [text for text, n in zip(texts, row, strict=True) for _ in range(n)] for texts in (PREDICTIONS, TARGETS)
        )
        assert score == pytest.approx(metric.corpus_score(predictions, [targets]).score / 100)
