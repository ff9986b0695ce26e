"""The answers of cells as the page has them: the vote of their seeds on each test example."""

from typing import Any

import numpy as np

from harness.cells.cells import Cell
from harness.cells.confusion import label_names
from harness.statistics.intervals import majority_vote
from harness.storage.predictions import Answers, Array, Read

MOST_CHARACTERS = 1_000_000
"""Of all answers and the names of their examples; a page is to stay below 10 MB."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class PageAnswers:
    """Examples that cells share, stored once, and each cell's answers to them in as many digits as labels need.

    Cells whose answers are no labels, or not of the same examples for every seed, have none; those that would make the
    page too large are counted in ``n_left_out``.
    """

    def __init__(self, read: Read) -> None:
        self.examples: list[dict[str, Any]] = []
        self.n_left_out = 0
        self._read = read
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
        self.examples.append(example | {"targets": encode(answers.targets, digits)})
        self._known.append(answers)
        self._n_characters += sum(map(len, ids)) + 3 * len(ids)
        return len(self._known) - 1


def _are_labels(answers: Answers) -> bool:
    return all(
        values.dtype.kind == "i" and len(values) > 0 and values.min() >= 0 and values.max() < len(DIGITS) ** 2
        for values in (answers.targets, answers.predictions)
    )


def encode(labels: Array, digits: int) -> str:
    """Label numbers in base 36, each in so many digits."""
    numbers = map(int, labels)
    return "".join(DIGITS[n] if digits == 1 else DIGITS[n // 36] + DIGITS[n % 36] for n in numbers)
