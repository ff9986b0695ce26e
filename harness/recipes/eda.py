"""EDA: easy data augmentation."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import BaseInfo, Example, Recipe, Space, TaskInfo
from harness.recipes._texts import with_texts

if TYPE_CHECKING:
    import numpy as np

Words = list[str]


class EDA(Recipe):
    """Change training texts in every epoch: synonyms replaced or inserted, words swapped or deleted, one of the four.

    Synonyms are WordNet's; stop words, as scikit-learn has them, keep their place.
    """

    source: ClassVar[str] = "Wei and Zou 2019, section 2, https://arxiv.org/abs/1901.11196"

    alpha: float = Field(0.1, gt=0, le=0.5, description="Share of a text's words that change, one at least.")
    original: float = Field(0.2, ge=0, lt=1, description="Share of the texts left: 1 / (1 + n) for n added to each.")

    def skip(self, base: BaseInfo, task: TaskInfo) -> str | None:
        """Words that an answer is made of must keep their places, and synonyms must be there."""
        from harness.libraries.wordnet import MISSING, find_wordnet

        if task.kind == "token_classification":
            return "eda would move and delete words that are to be labelled"
        if task.kind == "generation":
            return "eda would move and delete words that the generated text depends on"
        return None if find_wordnet() else f"eda needs synonyms, and {MISSING}"

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples with changed texts in every field; choices and answers are whole.

        Raises:
            Unsupported: WordNet is not here.
        """
        from harness.core.errors import Unsupported
        from harness.libraries.wordnet import MISSING, find_wordnet, read_synonyms

        folder = find_wordnet()
        if folder is None:
            raise Unsupported(f"eda needs synonyms, and {MISSING}")
        synonyms = read_synonyms(folder)
        kept = random.random(len(train)) < self.original
        change = partial(self._changed, Edit(synonyms, random))
        return [e if keep else with_texts(e, change) for e, keep in zip(train, kept, strict=True)]

    def _changed(self, edit: "Edit", text: str) -> str:
        words = text.split(" ")
        if edit.random.integers(4) == 0:
            return " ".join(edit.delete(words, self.alpha))
        step: Callable[[Words], Words] = (edit.replace, edit.insert, edit.swap)[edit.random.integers(3)]
        for _ in range(max(1, int(self.alpha * len(words)))):
            words = step(words)
        return " ".join(words)

    def space(self) -> Space:
        """The shares that the authors try."""
        return {"alpha": Range(0.05, 0.5)}


class Edit:
    """The four operations on a text's words, each on one word but for deletion."""

    def __init__(self, synonyms: Mapping[str, tuple[str, ...]], random: "np.random.Generator") -> None:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        self.synonyms, self.random, self.stop_words = synonyms, random, ENGLISH_STOP_WORDS

    def replace(self, words: Words) -> Words:
        """A word becomes one of its synonyms."""
        places = self._places(words)
        if not places:
            return words
        place = self._drawn(places)
        return [*words[:place], self._synonym(words[place]), *words[place + 1 :]]

    def insert(self, words: Words) -> Words:
        """A synonym of a word is put anywhere."""
        places = self._places(words)
        if not places:
            return words
        at = int(self.random.integers(len(words) + 1))
        return [*words[:at], self._synonym(words[self._drawn(places)]), *words[at:]]

    def swap(self, words: Words) -> Words:
        """Two words change places."""
        one, other = self.random.integers(len(words), size=2).tolist()
        swapped = list(words)
        swapped[one], swapped[other] = words[other], words[one]
        return swapped

    def delete(self, words: Words, share: float) -> Words:
        """Each word is left out with a probability; one stays."""
        drawn = self.random.random(len(words))
        return [w for w, number in zip(words, drawn, strict=True) if number >= share] or [words[int(drawn.argmax())]]

    def _synonym(self, word: str) -> str:
        found = self.synonyms[word.lower()]
        return found[self._drawn(range(len(found)))]

    def _drawn(self, places: Sequence[int]) -> int:
        return places[int(self.random.integers(len(places)))]

    def _places(self, words: Words) -> list[int]:
        lower = map(str.lower, words)
        return [n for n, word in enumerate(lower) if word in self.synonyms and word not in self.stop_words]
