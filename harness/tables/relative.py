"""Every cell beside a chosen one of its comparison."""

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from harness.cells.answered import answer_cells
from harness.cells.cells import Cell, Key, Layout, label_of, lookup
from harness.cells.race import judged_cells
from harness.cells.scores import Scored
from harness.cells.sharing import Sharing
from harness.core.errors import SpecError, unknown
from harness.statistics.difference import Resampled, difference
from harness.statistics.intervals import LEVEL, Interval, holm, mean_interval
from harness.storage.predictions import Read
from harness.tables.question import Question

Place = tuple[Key, Key]
"""The row and the column of a cell."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Paired:
    """A difference to the reference: theirs minus its, whether theirs is the worse, and the two-sided p-value."""

    interval: Interval
    is_behind: bool
    p_value: float


@dataclass(frozen=True)
class Relative:
    """Of one question: where the reference stands, the differences to it, and what is significantly worse."""

    reference: Place | None
    differences: Mapping[Place, Interval]
    worse: Set[Place]


def find_relative(questions: Sequence[Question], layout: Layout, name: str, read: Read) -> list[Relative]:
    """The differences to the reference of every question, paired over seeds and test examples.

    Raises:
        SpecError: no cell, or several of one comparison, have the name.
    """
    references = [find_reference(question.comparison.cells, layout, name) for question in questions]
    if not any(references):
        cells = [cell for question in questions for cell in question.comparison.cells]
        raise unknown("row of --relative-to", name, {label_of(cell.runs[0], layout.competing) for cell in cells})
    found = [_pair(question, reference, read) for question, reference in zip(questions, references, strict=True)]
    tests = {
        (question.measure.split, number, place): paired
        for number, (question, differences) in enumerate(zip(questions, found, strict=True))
        for place, paired in differences.items()
    }
    splits = {split for split, _, _ in tests}
    worse = set().union(
        *(find_worse({key: paired for key, paired in tests.items() if key[0] == split}) for split in splits)
    )
    return [
        Relative(
            (reference.row, reference.column) if reference else None,
            {place: paired.interval for place, paired in differences.items()},
            {place for _, of, place in worse if of == number},
        )
        for number, (reference, differences) in enumerate(zip(references, found, strict=True))
    ]


def find_reference(cells: Sequence[Cell], layout: Layout, name: str) -> Cell | None:
    """The cell whose label is the name, or one of whose competing values is.

    Raises:
        SpecError: several are.
    """
    exact = [cell for cell in cells if label_of(cell.runs[0], layout.competing) == name]
    named = exact or [
        cell for cell in cells if name in {str(lookup(cell.runs[0], field)) for field in layout.competing}
    ]
    if len(named) > 1:
        labels = "; ".join(label_of(cell.runs[0], layout.competing) for cell in named)
        raise SpecError(f"--relative-to {name} is several rows: give one of {labels}")
    return named[0] if named else None


def pair_with(reference: int, cells: Sequence[Scored], resampled: Sequence[Resampled | None]) -> dict[int, Paired]:
    """The differences of the cells that share two seeds and predictions with the reference, by their places."""
    its = resampled[reference]
    found = {}
    for pair in Sharing(cells).of(reference) if its else ():
        other = pair.b if pair.a == reference else pair.a
        if its and (theirs := resampled[other]):
            tested = difference(theirs, its, pair.pooled)
            by_seed = [cells[other].scores[seed] - cells[reference].scores[seed] for seed in pair.seeds]
            interval = Interval(tested.mean, mean_interval(by_seed).sd, tested.half_width, len(by_seed))
            found[other] = Paired(interval, cells[other].metric.sign * tested.mean < 0, tested.p_value)
    return found


def find_worse(tests: Mapping[K, Paired]) -> set[K]:
    """What is behind the reference at 5 % after Holm's correction over all of these tests."""
    if not tests:
        return set()
    adjusted = holm([paired.p_value for paired in tests.values()])
    return {key for (key, paired), p in zip(tests.items(), adjusted, strict=True) if p <= LEVEL and paired.is_behind}


def _pair(question: Question, reference: Cell | None, read: Read) -> dict[Place, Paired]:
    cells = question.testable
    place = next((place for place, one in enumerate(cells) if one.cell is reference), None)
    if place is None or judged_cells(cells):  # how many seeds raced cells share depends on their scores
        return {}
    answered = answer_cells(cells, read, question.measure.split)
    paired = pair_with(place, cells, [found.resampled if found else None for found in answered])
    return {(cells[other].cell.row, cells[other].cell.column): one for other, one in paired.items()}
