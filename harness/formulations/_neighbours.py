"""Training examples that are most like a question."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.task import Example


@dataclass
class Neighbours:
    """Finds the examples of train with the most words in common: cosine of their TF-IDF vectors.

    Liu et al. compare embeddings of a sentence encoder; words need no second model, and no base that is asked has an
    advantage by its own embeddings.

    Args:
        train: Where they are taken from.
        columns: The fields that are compared.
        n: How many.

    Source:
        Liu et al. 2021, section 3.1, https://arxiv.org/abs/2101.06804
    """

    train: Sequence[Example]
    columns: Sequence[str]
    n: int
    _words: Any = field(init=False)
    _vectors: Any = field(init=False)

    def __post_init__(self) -> None:
        """Index the texts."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\S+")
        self._vectors = self._words.fit_transform([self._text(example) for example in self.train])

    def of(self, question: Example) -> list[Example]:
        """The most alike, the best match last; of equal ones those that come first, never the question itself."""
        likeness = (self._vectors @ self._words.transform([self._text(question)]).T).toarray()[:, 0]
        order = np.argsort(-likeness, kind="stable")[: self.n + 1]
        found = [self.train[index] for index in order if self.train[index] != question]
        return found[: self.n][::-1]

    def _text(self, example: Example) -> str:
        return " ".join(example.fields.get(column, "") for column in self.columns)
