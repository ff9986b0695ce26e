"""Changes of a text that leave its meaning to a reader; drawn from the text alone, so every model reads the same."""

import random
import string
from collections.abc import Callable, Mapping

from harness.core.seeds import derive

SHARES = (0.1, 0.3, 0.6)
"""Of the words, or repeats of ten, that a severity of 1, 2, 3 changes."""
PUNCTUATION = ",.;:!?-"
TRUE, FALSE = "and true is true", "and false is not true"
"""Naik et al. 2018, section 3.2: what is added says nothing about the text, but has words that a model may go by."""


def typos(text: str, share: float, draw: random.Random) -> str:
    """Two inner letters of some longer words change places."""
    return _of_some(text, share, draw, lambda word: swapped(word, draw), lambda word: len(word) > 3)


def case(text: str, share: float, draw: random.Random) -> str:
    """Some words in capitals."""
    return _of_some(text, share, draw, str.upper, lambda word: word != word.upper())


def punctuation(text: str, share: float, draw: random.Random) -> str:
    """Punctuation goes, and some words get another one."""
    bare = text.translate(str.maketrans("", "", string.punctuation))
    return _of_some(bare, share, draw, lambda word: word + draw.choice(PUNCTUATION), bool)


def length(text: str, share: float, draw: random.Random) -> str:
    """A tautology after the text, several times."""
    return " ".join([text, *[TRUE] * round(10 * share)])


def negation(text: str, share: float, draw: random.Random) -> str:
    """A tautology with a negation after the text, several times."""
    return " ".join([text, *[FALSE] * round(10 * share)])


KINDS: Mapping[str, Callable[[str, float, random.Random], str]] = {
    "typos": typos,
    "case": case,
    "punctuation": punctuation,
    "length": length,
    "negation": negation,
}


def perturbed(text: str, kind: str, severity: int) -> str:
    """The text changed; the same text is always changed alike."""
    return KINDS[kind](text, SHARES[severity - 1], random.Random(derive(severity, f"{kind}/{text}")))


def swapped(word: str, draw: random.Random) -> str:
    """The word with two different neighbours of its inner letters in each other's place, where it has such."""
    places = [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]]
    if not places:
        return word
    at = draw.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _of_some(
    text: str, share: float, draw: random.Random, change: Callable[[str], str], can: Callable[[str], bool]
) -> str:
    """A share of the words that can be changed, rounded up."""
    words = text.split()
    able = [place for place, word in enumerate(words) if can(word)]
    for place in draw.sample(able, min(len(able), -int(-share * len(able) // 1))):
        words[place] = change(words[place])
    return " ".join(words)
