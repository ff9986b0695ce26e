"""The answers of cells as the page has them: the vote of their seeds on each test example."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.cells.cells import Cell
from harness.cells.confusion import label_names
from harness.core.errors import HarnessError, HarnessWarning
from harness.statistics.intervals import majority_vote
from harness.storage.predictions import Answers, Array, Read
from harness.storage.record import Record

MOST_CHARACTERS = 1_000_000
"""Of all answers and the names of their examples; a page is to stay below 10 MB."""

LONGEST_TEXT = 300

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class PageAnswers:
    """Examples that cells share, stored once, and each cell's answers to them in as many digits as labels need.

    Cells whose answers are no labels, or not of the same examples for every seed, have none; those that would make the
    page too large are counted in ``n_left_out``.
    """

    def __init__(self, read: Read, has_texts: bool) -> None:
        self.examples: list[dict[str, Any]] = []
        self.n_left_out = 0
        self._read = read
        self._has_texts = has_texts
        self._known: list[Answers] = []
        self._n_characters = 0

    def of(self, cell: Cell) -> dict[str, Any]:
        """``{"examples": place, "votes": text}`` of a cell, or nothing."""
        found = [answers for run in cell.ok if (answers := self._read(run, "test")) is not None]
        if not found or len(found) < len(cell.ok) or not all(map(_are_labels, found)):
            return {}
        if not all(map(found[0].same_examples, found)):
            return {}
        if self._n_characters > MOST_CHARACTERS:
            self.n_left_out += 1
            return {}
        place = self._place(cell, found[0])
        answered = majority_vote(np.stack([one.predictions for one in found]))
        if answered.max() >= len(DIGITS) ** self.examples[place]["digits"]:
            return {}
        votes = encode(answered, self.examples[place]["digits"])
        self._n_characters += len(votes)
        return {"examples": place, "votes": votes}

    def _place(self, cell: Cell, answers: Answers) -> int:
        task = cell.ok[0].spec.task.name
        for place, known in enumerate(self._known):
            if self.examples[place]["task"] == task and known.same_examples(answers):
                return place
        ids = answers.example_ids.to_pylist()
        declared = cell.ok[0].task.get("labels")
        labels = label_names(declared, int(max(answers.targets.max(), answers.predictions.max())) + 1)
        digits = 1 if len(labels) <= len(DIGITS) else 2
        example = {"task": task, "labels": labels, "digits": digits, "ids": ids}
        if self._has_texts:
            texts = read_texts(cell.ok[0])
            example["texts"] = [texts.get(name, "") for name in ids]
        self.examples.append(example | {"targets": encode(answers.targets, digits)})
        self._known.append(answers)
        self._n_characters += sum(map(len, [*ids, *example.get("texts", ())])) + 3 * len(ids)
        return len(self._known) - 1


def read_texts(run: Record) -> Mapping[str, str]:
    """How each test example's text begins, by its id; nothing, with a ``HarnessWarning``, where it can't be had."""
    from harness import data
    from harness.data.tasks import find_task

    try:
        splits, info = data.load(find_task(run.spec.task.name), run.spec.task, run.spec.seed)
    except HarnessError as error:
        warnings.warn(f"{run.spec.task.name} is shown without its texts: {error}", HarnessWarning, stacklevel=2)
        return {}
    if info.fingerprint != run.data.fingerprint:
        text = f"{run.spec.task.name} is shown without its texts: its examples are not those of the runs"
        warnings.warn(text, HarnessWarning, stacklevel=2)
        return {}
    return {example.id: " | ".join(example.fields.values())[:LONGEST_TEXT] for example in splits.test}


def _are_labels(answers: Answers) -> bool:
    return all(
        values.dtype.kind == "i" and len(values) > 0 and values.min() >= 0 and values.max() < len(DIGITS) ** 2
        for values in (answers.targets, answers.predictions)
    )


def encode(labels: Array, digits: int) -> str:
    """Label numbers in base 36, each in so many digits."""
    numbers = map(int, labels)
    return "".join(DIGITS[n] if digits == 1 else DIGITS[n // 36] + DIGITS[n % 36] for n in numbers)
