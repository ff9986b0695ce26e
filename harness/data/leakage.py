"""Texts that one set is trained on and another is tested on."""

from collections.abc import Iterable

from harness.task import Example


def loose_key(example: Example) -> str:
    """Letters and digits of an example's texts and choices, in lower case: what survives other tokenization.

    Texts without letters or digits are compared as they are.
    """
    text = " ".join((*example.fields.values(), *example.choices)).lower()
    return "".join(filter(str.isalnum, text)) or text


def overlap(train: Iterable[Example], test: Iterable[Example]) -> int:
    """How many test examples have a text that is also in train."""
    known = {loose_key(example) for example in train}
    return sum(loose_key(example) in known for example in test)
