"""Word dropout."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import BaseInfo, Example, Recipe, Space, TaskInfo

if TYPE_CHECKING:
    import numpy as np


class WordDropout(Recipe):
    """Leave words out of the training texts at random, others in every epoch."""

    source: ClassVar[str] = "Iyyer et al. 2015, section 3.1, https://aclanthology.org/P15-1162"

    rate: float = Field(0.3, ge=0, lt=1, description="Probability that a word is left out; of a text one is kept.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """A word that is labelled must be read."""
        if task.kind == "token_classification":
            return "word_dropout would leave out words that are to be labelled"
        return None

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples with fewer words in every field; choices and labels are whole."""
        if self.rate == 0:
            return train
        return [
            replace(e, fields={name: self._shortened(text, random) for name, text in e.fields.items()}) for e in train
        ]

    def _shortened(self, text: str, random: "np.random.Generator") -> str:
        words = text.split(" ")
        drawn = random.random(len(words))
        kept = [word for word, number in zip(words, drawn, strict=True) if number >= self.rate]
        return " ".join(kept) if kept else words[int(drawn.argmax())]

    def space(self) -> Space:
        """How much is left out."""
        return {"rate": Range(0.0, 0.5)}
