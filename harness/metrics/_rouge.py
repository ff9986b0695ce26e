"""ROUGE by rouge-score, for texts in any script."""

from functools import cache
from typing import Any, ClassVar

import numpy as np

from harness.core.info import TaskKind
from harness.core.words import script, words
from harness.metric import Metric
from harness.storage.predictions import Answers, Array


class Rouge(Metric):
    """Mean F of a variant by rouge-score with its stemmer.

    rouge-score's words are runs of a-z and 0-9. Where most letters of the target are not Latin, both texts are split
    into words of Unicode letters instead, scripts without blanks between words into characters. Equal texts score 1,
    also where they have no such word or too few for an n-gram.
    """

    source: ClassVar[str] = "rouge-score (Lin 2004, https://aclanthology.org/W04-1013)"
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"generation"})
    variant: ClassVar[str]
    """As rouge-score names it."""

    def per_example(self, answers: Answers) -> Array:
        """F of each text."""
        pairs = zip(answers.targets.tolist(), answers.predictions.tolist(), strict=True)
        return np.array([_score(self.variant, *pair) for pair in pairs])


def _score(variant: str, target: str, prediction: str) -> float:
    if target == prediction:
        return 1.0
    letters = [letter for letter in target if letter.isalpha()]
    is_latin = 2 * sum(script(letter) == "LATIN" for letter in letters) >= len(letters)
    return float(_scorer(variant, is_latin).score(target, prediction)[variant].fmeasure)


@cache
def _scorer(variant: str, is_latin: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([variant], use_stemmer=True, tokenizer=None if is_latin else _UnicodeWords())


class _UnicodeWords:
    """What rouge-score calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """Lower-case words."""
        return words(text.lower())
