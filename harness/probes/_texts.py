"""Examples with other texts."""

from collections.abc import Callable
from dataclasses import replace

from harness.data.examples import fields_of
from harness.task import Example, Task


def with_texts(task: Task, example: Example, change: Callable[[str], str]) -> Example:
    """The example with each of the texts that the task reads changed, and all that its prompts make of them."""
    texts = {column: change(example.fields[column]) for column in task.text}
    return replace(example, fields={**example.fields, **fields_of(task, texts)})
