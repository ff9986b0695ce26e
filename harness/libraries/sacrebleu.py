"""sacreBLEU's sufficient statistics, which it uses for its own bootstrap and offers under no public name."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.storage.predictions import Answers


def resampled_scores(metric: Any, answers: "Answers", counts: NDArray[np.float32]) -> NDArray[np.float64]:
    """A corpus metric of sacreBLEU on resamples of the texts, in 0..1.

    Args:
        metric: ``sacrebleu.metrics.BLEU``, ``CHRF`` or another of its kind.
        answers: N texts.
        counts: How often each resample drew each text, shape (B, N).

    Returns:
        Shape (B,).
    """
    statistics = metric._extract_corpus_statistics(answers.predictions.tolist(), [answers.targets.tolist()])
    sums = (counts.astype(float) @ np.array(statistics, dtype=float)).astype(int)
    return np.array([metric._compute_score_from_stats(row).score / 100 for row in sums.tolist()])
