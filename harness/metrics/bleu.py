"""BLEU."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.info import TaskKind
from harness.core.words import UNSPACED, script
from harness.libraries.sacrebleu import resampled_scores
from harness.metric import Metric
from harness.metrics._counts import Floats
from harness.storage.predictions import Answers


class Bleu(Metric):
    """Corpus BLEU by sacreBLEU, in 0..1; ``sacrebleu_for`` has its settings."""

    source: ClassVar[str] = "sacreBLEU (Post 2018, https://aclanthology.org/W18-6319)"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"generation"})

    def compute(self, answers: Answers) -> float:
        """In 0..1."""
        targets = answers.targets.tolist()
        score = sacrebleu_for(targets).corpus_score(answers.predictions.tolist(), [targets]).score
        # Rounding makes a perfect score 100.00000000000004.
        return min(float(score) / 100, 1.0)

    def resampled(self, answers: Answers, counts: NDArray[np.float32]) -> Floats:
        """From sums of sufficient statistics; the tokenizer is that of all targets."""
        return np.minimum(resampled_scores(sacrebleu_for(answers.targets.tolist()), answers, counts), 1.0)


def sacrebleu_for(targets: Sequence[str]) -> Any:
    """sacreBLEU's BLEU for texts in the targets' language.

    The tokenizer is its default, 13a. Where most letters are of a script without blanks between words, of which 13a
    would make one word a sentence: zh for Chinese, char for others (Japanese, Thai, Lao, Khmer, Burmese).

    ``effective_order``: orders that no prediction is long enough for don't count, or texts of less than four words
    would score 0 whatever they say; where one has four words the score is sacreBLEU's default.
    """
    from sacrebleu.metrics import BLEU

    scripts = Counter(script(letter) for text in targets for letter in text if letter.isalpha())
    unspaced = {name: n for name, n in scripts.items() if name in UNSPACED}
    tokenizer = "13a" if 2 * sum(unspaced.values()) <= scripts.total() else "zh" if {*unspaced} == {"CJK"} else "char"
    return BLEU(tokenize=tokenizer, effective_order=True)
