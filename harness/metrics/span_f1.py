"""F1 of tagged spans."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.metric import Metric
from harness.metrics._counts import Floats, ratio
from harness.storage.predictions import Answers


class SpanF1(Metric):
    """Micro F1 of exact spans (CoNLL 2003); 0 if there is no span at all."""

    source: ClassVar[str] = "seqeval.metrics.f1_score"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"token_classification"})

    def undefined(self, targets: Sequence[Any]) -> str | None:
        """No target has a span."""
        return None if any(map(any, targets)) else "no target has a span"

    def compute(self, answers: Answers) -> float:
        """In 0..1."""
        from seqeval.metrics import f1_score

        return float(f1_score(iob2_tags(answers.targets), iob2_tags(answers.predictions), zero_division=0))

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From each example's numbers of spans that are right, there and found."""
        pairs = zip(_spans(answers.targets), _spans(answers.predictions), strict=True)
        per_example = np.array([(len(t & p), len(t), len(p)) for t, p in pairs], dtype=float)
        hits, of_target, of_prediction = (counts.astype(float) @ per_example).T
        return ratio(2 * hits, of_target + of_prediction)


def iob2_tags(sequences: Iterable[Sequence[int]]) -> list[list[str]]:
    """IOB2 tags: label 0 is outside, labels 2k-1 and 2k begin and continue a span of the k-th type."""
    return [["O" if i == 0 else f"{'IB'[i % 2]}-{(i + 1) // 2}" for i in sequence] for sequence in sequences]


def _spans(sequences: Iterable[Sequence[int]]) -> list[set[tuple[str, int, int]]]:
    """The spans of each example: type, first and last token."""
    from seqeval.metrics.sequence_labeling import get_entities

    return [set(get_entities(tags)) for tags in iob2_tags(sequences)]
