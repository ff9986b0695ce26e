"""Noise of the keyboard."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.space import Range
from harness.recipe import Example, Recipe, Space
from harness.recipes._texts import with_words

if TYPE_CHECKING:
    import numpy as np

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Letters of an English keyboard; a row is shifted by about half a key against the one above."""


def neighbours(letter: str) -> str:
    """The letters on the keys that touch a letter's key; none of what is on no key."""
    row = next((n for n, letters in enumerate(ROWS) if letter in letters), None)
    if row is None:
        return ""
    place = ROWS[row].index(letter)
    near = [(row, place - 1), (row, place + 1), (row - 1, place), (row - 1, place + 1), (row + 1, place - 1)]
    near.append((row + 1, place))
    return "".join(ROWS[r][p] for r, p in near if 0 <= r < len(ROWS) and 0 <= p < len(ROWS[r]))


class Noise(Recipe):
    """Mistype words of the training texts at random, others in every epoch: a wrong key, a letter lost, two swapped."""

    source: ClassVar[str] = "Belinkov and Bisk 2018, section 3.2, https://arxiv.org/abs/1711.02173"

    rate: float = Field(0.1, ge=0, le=1, description="Share of the words with one typing error.")

    def examples(self, train: Sequence[Example], epoch: int, random: "np.random.Generator") -> Sequence[Example]:
        """The same examples with mistyped words, as many as before; labelled words are among them, choices are not."""
        return [with_words(example, partial(self._typed, random)) for example in train]

    def _typed(self, random: "np.random.Generator", word: str) -> str:
        """The word, or with one error: of two letters at least, so that something is left of it."""
        if random.random() >= self.rate or len(word) < 2:
            return word
        place, kind = int(random.integers(len(word) - 1)), random.integers(3)
        letter, after = word[place], word[place + 1]
        if kind == 0:
            keys = neighbours(letter.lower()) or letter
            wrong = keys[int(random.integers(len(keys)))]
            return word[:place] + (wrong.upper() if letter.isupper() else wrong) + word[place + 1 :]
        return word[:place] + (after if kind == 1 else after + letter) + word[place + 2 :]

    def space(self) -> Space:
        """From few errors to one in two words."""
        return {"rate": Range(0.0, 0.5)}
