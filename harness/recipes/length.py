"""Texts of other lengths and orders."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import BaseInfo, Example, Recipe, Space, TaskInfo
from harness.recipes._texts import with_texts
from harness.task import Target

if TYPE_CHECKING:
    import numpy as np

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Length(Recipe):
    """Cut training texts, join those of the same label, or change the order of their sentences, anew in every epoch.

    The source joins; cutting and shuffling are its usual companions. A label says the same of both of two joined texts,
    or of pairs joined first to first and second to second; that a cut leaves what it rests on is a hope.
    """

    source: ClassVar[str] = "Nguyen et al. 2021, https://arxiv.org/abs/2105.01691"

    rate: float = Field(0.5, ge=0, le=1, description="Share of the texts changed, in one of the three ways.")
    kept: float = Field(0.7, gt=0, le=1, description="Share of the words that a cut keeps, one after another.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """The answer must hold for a part, for a whole in another order, and for two at once."""
        if task.kind in ("classification", "regression"):
            return None
        return f"length changes what is asked; the answers of {task.kind.replace('_', ' ')} would no longer fit"

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples with changed texts."""
        alike: defaultdict[Target, list[Example]] = defaultdict(list)
        for example in train:
            alike[example.target].append(example)
        changed = random.random(len(train)) < self.rate
        return [self._changed(e, alike[e.target], random) if c else e for e, c in zip(train, changed, strict=True)]

    def _changed(self, example: Example, alike: Sequence[Example], random: "np.random.Generator") -> Example:
        way = random.integers(3)
        if way == 0:
            return joined(example, alike[int(random.integers(len(alike)))])
        if way == 1:
            return with_texts(example, lambda text: shuffled(text, random))
        return with_texts(example, lambda text: cut(text, self.kept, random))

    def space(self) -> Space:
        """How many texts, and how much of them."""
        return {"rate": Range(0.0, 1.0), "kept": Range(0.3, 1.0)}


def joined(one: Example, other: Example) -> Example:
    """An example with the texts of another after its own, field by field; itself with itself is itself."""
    if one is other:
        return one
    fields = {name: " ".join(filter(None, (text, other.fields[name]))) for name, text in one.fields.items()}
    return replace(one, fields=fields)


def shuffled(text: str, random: "np.random.Generator") -> str:
    """The sentences in another order."""
    sentences = SENTENCE_END.split(text)
    return " ".join(sentences[n] for n in random.permutation(len(sentences)))


def cut(text: str, share: float, random: "np.random.Generator") -> str:
    """A share of the words, one at least, from anywhere in the text."""
    words = text.split(" ")
    n_kept = max(1, round(share * len(words)))
    start = int(random.integers(len(words) - n_kept + 1))
    return " ".join(words[start : start + n_kept])
