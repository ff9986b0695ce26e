"""Examples with other texts."""

from collections.abc import Callable
from dataclasses import replace

from harness.data.examples import fields_of
from harness.task import Example, Task


def with_texts(task: Task, example: Example, change: Callable[[str], str]) -> Example:
    """The example with each of the texts that the task reads changed, and all that its prompts make of them."""
    texts = {column: change(example.fields[column]) for column in task.text}
    return replace(example, fields={**example.fields, **fields_of(task, texts)})


def words_of(task: Task, example: Example) -> list[str]:
    """The words of the first text that the task reads."""
    return example.fields[task.text[0]].split()


def with_words(task: Task, example: Example, words: list[str]) -> Example:
    """The example with its first text made of these words."""
    first = example.fields[task.text[0]]
    return with_texts(task, example, lambda text: " ".join(words) if text == first else text)
