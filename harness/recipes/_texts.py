"""Training texts changed so that their labels stay right."""

from collections.abc import Callable
from dataclasses import replace

from harness.task import Example


def with_words(example: Example, change: Callable[[str], str]) -> Example:
    """The example with each word of its texts changed, one for one: labels of words stay in their places.

    Choices and answers are left as they are. The same object where no word changes.
    """
    tokens = tuple(map(change, example.tokens))
    tagged = {" ".join(example.tokens): " ".join(tokens)} if tokens else {}
    fields = {
        name: tagged[text] if text in tagged else " ".join(map(change, text.split(" ")))
        for name, text in example.fields.items()
    }
    same = fields == dict(example.fields) and tokens == example.tokens
    return example if same else replace(example, fields=fields, tokens=tokens)


def with_texts(example: Example, change: Callable[[str], str]) -> Example:
    """The example with each of its texts changed, those of a pair apart; an empty one stays."""
    fields = {name: change(text) if text else text for name, text in example.fields.items()}
    return example if fields == dict(example.fields) else replace(example, fields=fields)
