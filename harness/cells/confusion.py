"""Which label was answered in place of which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.cells.cells import Cell
from harness.cells.choices import ClassScore
from harness.core.errors import SpecError
from harness.statistics.intervals import Floats
from harness.storage.predictions import Answers, Read


@dataclass(frozen=True)
class Confusion:
    """Of one cell: how often each label (first axis) was answered by each (second), shape (seeds, labels, labels)."""

    labels: tuple[str, ...]
    counts: Floats

    def scores(self, kind: ClassScore) -> Floats:
        """Of each seed and label, shape (seeds, labels); 0 where nothing was answered or there was nothing to find."""
        hits = np.diagonal(self.counts, axis1=1, axis2=2)
        targets, answers = self.counts.sum(axis=2), self.counts.sum(axis=1)
        of = {"recall": targets, "precision": answers, "f1": (targets + answers) / 2}[kind]
        return np.divide(hits, of, out=np.zeros_like(hits), where=of > 0)


def confusion_of(cell: Cell, read: Read, split: str) -> Confusion | None:
    """The confusion of the runs that ended well, None where predictions are missing.

    Raises:
        SpecError: the answers are no labels.
    """
    found = [answers for run in cell.ok if (answers := read(run, split)) is not None]
    if not found or len(found) < len(cell.ok):
        return None
    if any(answers.targets.dtype.kind != "i" for answers in found):
        raise SpecError(f"{cell.ok[0].spec.task.name} has no labels to be confused: its answers are numbers or texts")
    largest = max(int(max(answers.targets.max(), answers.predictions.max())) for answers in found)
    labels = label_names(cell.ok[0].task.get("labels"), largest + 1)
    return Confusion(labels, np.stack([_count(answers, len(labels)) for answers in found]))


def label_names(declared: object, n_labels: int) -> tuple[str, ...]:
    """The task's names of its labels, or their numbers."""
    names = tuple(map(str, declared)) if isinstance(declared, Sequence) and not isinstance(declared, str) else ()
    return names if len(names) >= n_labels else tuple(map(str, range(n_labels)))


def _count(answers: Answers, n_labels: int) -> Floats:
    places = answers.targets * n_labels + answers.predictions
    return np.bincount(places, minlength=n_labels**2).reshape(n_labels, n_labels).astype(float)
