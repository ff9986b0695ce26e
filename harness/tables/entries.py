"""What the cells of a table show: numbers, standings and footnotes. Imports no torch."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.cells.answered import interval_over_examples
from harness.cells.cells import Cell, Key, Layout
from harness.cells.choices import Family
from harness.cells.folds import folds_sentence, format_runs, replicate
from harness.cells.race import Standing, race_sentence, raced_cell
from harness.cells.scores import Scored
from harness.cells.ties import Verdict, find_ties
from harness.probe import Quantity
from harness.statistics.intervals import Floats, Interval, seed_correlation
from harness.storage.predictions import Read
from harness.tables.footer import Evidence
from harness.tables.question import Question
from harness.tables.relative import Relative, find_relative
from harness.tables.spec import Spread, TableSpec

SAME_SCORES = "all seeds score the same: ± is the 95 % interval of drawing other test examples"
NOT_PAIRED = (
    "raced, or no two seeds or predictions of the same examples in common with the row that others are relative to"
)
SAME_NO_SPREAD = "all seeds score the same: they tell no spread"
NO_SPREAD = "all seeds score the same, and examples tell no variance: no interval"


@dataclass(frozen=True)
class Entry:
    """What one cell shows: an interval, or a word in its place; the numbers of its footnotes.

    Args:
        interval: Of the mean, or of a difference to the row that the table is relative to.
        word: Stands where there is no interval.
        standing: Among the cells that it competes with.
        is_second: Whether its mean is the second best.
        is_worse: Whether it is significantly worse than the best, or than the row that the table is relative to.
        is_difference: What the interval is of.
        variation: What the interval holds.
        n_planned: Seeds that any cell of the comparison was run on.
        is_percent: How the interval is shown.
        notes: Numbers of its footnotes.
    """

    interval: Interval | None = None
    word: str = ""
    standing: Standing = ""
    is_second: bool = False
    is_worse: bool = False
    is_difference: bool = False
    variation: Literal["seeds", "examples"] = "seeds"
    n_planned: int = 0
    is_percent: bool = True
    notes: tuple[int, ...] = ()

    def width(self, spread: Spread) -> float | None:
        """What follows ±, None where it is not known or seeds say nothing about it."""
        if self.interval is None or spread == "none":
            return None
        if spread == "ci":
            return self.interval.half_width
        if not self.interval.sd:
            return None
        return self.interval.sd * ((1 / self.interval.n + self.interval.overlap) ** 0.5 if spread == "se" else 1)


class Notes:
    """Footnotes, numbered from 1 in the order in which they are first needed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, text: str) -> int:
        """The number of a footnote, which is added if it is new."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


@dataclass(frozen=True)
class Judged:
    """The entries of each question by the row and column of their cell, and what was tested."""

    entries: Sequence[Mapping[tuple[Key, Key], Entry]]
    evidence: Evidence


def judge(questions: Sequence[Question], layout: Layout, spec: TableSpec, read: Read, notes: Notes) -> Judged:
    """Mean, standing and footnotes of every cell."""
    verdicts = _verdicts(questions, layout, spec.family, read)
    relative = None if spec.relative_to is None else find_relative(questions, layout, spec.relative_to, read)
    entries = []
    for place, (question, verdict) in enumerate(zip(questions, verdicts, strict=True)):
        found = _entries(question, verdict, spec.spread, read, notes)
        entries.append(_relative(found, relative[place], notes) if relative else found)
    return Judged(entries, _evidence(questions, verdicts, layout, spec.family))


def _verdicts(questions: Sequence[Question], layout: Layout, family: Family, read: Read) -> list[Verdict]:
    """Holm's correction runs over all questions of a family about one split, whatever their metric."""
    by_split: defaultdict[str, list[int]] = defaultdict(list)
    for place, question in enumerate(questions):
        by_split[question.measure.split].append(place)
    verdicts: dict[int, Verdict] = {}
    for split, places in by_split.items():
        families = [
            (place, questions[place].comparison.key)
            if family == "comparison"
            else without_task(questions[place].comparison.key, layout)
            for place in places
        ]
        found = find_ties([questions[place].testable for place in places], read, split, families)
        verdicts |= zip(places, found, strict=True)
    return [verdicts[place] for place in range(len(questions))]


def without_task(key: Key, layout: Layout) -> Key:
    """What the comparisons of all tasks of a family share."""
    return tuple(value for field, value in zip(layout.shared, key, strict=True) if field != "task")


def _entries(
    question: Question, verdict: Verdict, spread: Spread, read: Read, notes: Notes
) -> dict[tuple[Key, Key], Entry]:
    comparison, scored = question.comparison, question.scored
    places = {id(one.cell): place for place, one in enumerate(scored)}
    all_seeds = {replicate(run) for cell in comparison.cells for run in cell.runs}
    second = _second_best(scored)
    entries = {}
    for cell in comparison.cells:
        place = places.get(id(cell), -1)
        one = scored[place] if place >= 0 else None
        interval, note = _interval(one, question, spread, read) if one else (None, "")
        raced = raced_cell(one) if one else None
        seeds = raced.seeds if raced else all_seeds
        reasons = _reasons(cell, one, seeds, question, verdict.untested.get(place))
        reasons += [raced.note] if raced else []
        standing = verdict.standing(place) if one else ""
        entries[cell.row, cell.column] = Entry(
            interval=interval,
            word="" if one else _word(cell),
            standing=standing,
            is_second=one is not None and one.merit == second,
            is_worse=standing == "worse",
            variation="examples" if note == SAME_SCORES else "seeds",
            n_planned=len(seeds),
            is_percent=one is None or one.metric.is_percent,
            notes=tuple(notes.number(reason) for reason in [*reasons, note] if reason),
        )
    return entries


def _second_best(scored: Sequence[Scored]) -> float | None:
    """The merit of the cells that come after the best one."""
    merits = sorted((one.merit for one in scored if one.is_finite), reverse=True)
    return merits[1] if len(merits) > 1 else None


def _relative(
    entries: Mapping[tuple[Key, Key], Entry], relative: Relative, notes: Notes
) -> dict[tuple[Key, Key], Entry]:
    """The entries with differences in place of means, but for the row that they are relative to."""
    return {
        place: entry
        if entry.interval is None or place == relative.reference
        else as_difference(entry, relative.differences.get(place), place in relative.worse, notes)
        for place, entry in entries.items()
    }


def as_difference(entry: Entry, interval: Interval | None, is_worse: bool, notes: Notes) -> Entry:
    """An entry with a difference in place of its mean, or with the reason why there is none."""
    if interval is None:
        return replace(entry, interval=None, word="not paired", notes=(*entry.notes, notes.number(NOT_PAIRED)))
    return replace(entry, interval=interval, is_difference=True, is_worse=is_worse, variation="seeds")


def _evidence(questions: Sequence[Question], verdicts: Sequence[Verdict], layout: Layout, family: Family) -> Evidence:
    splits = {question.measure.split for question in questions}
    fields = (*(field for field in layout.shared if field != "task"), *(["test"] if len(splits) > 1 else []))
    return Evidence(
        n_tests=sum(verdict.n_tests for verdict in verdicts),
        scope=() if family == "comparison" else fields,
        family=family,
        metrics=tuple({one.metric.name: one.metric for question in questions for one in question.scored}.values()),
        floors=tuple(
            (question.testable[0].metric, verdict.floor)
            for question, verdict in zip(questions, verdicts, strict=True)
            if verdict.floor
        ),
        seed_correlation=seed_correlation(
            table for question in questions if (table := _by_seed(question.testable)) is not None
        ),
        folds=folds_sentence(run for question in questions for cell in question.comparison.cells for run in cell.runs),
        raced=race_sentence(run for question in questions for cell in question.comparison.cells for run in cell.runs),
    )


def _by_seed(cells: Sequence[Scored]) -> Floats | None:
    """The finite scores on the seeds that all cells have, shape (cells, seeds); None for fewer than two such seeds."""
    cells = [one for one in cells if one.is_finite]
    seeds = sorted(set.intersection(*(set(one.scores) for one in cells))) if cells else []
    return np.array([[one.scores[seed] for seed in seeds] for one in cells]) if len(seeds) > 1 else None


def _interval(scored: Scored, question: Question, spread: Spread, read: Read) -> tuple[Interval, str]:
    """The interval of a cell, and a footnote where it isn't one over seeds."""
    if scored.interval.half_width != 0:
        return scored.interval, ""
    if spread != "ci":
        return scored.interval, "" if spread == "none" else SAME_NO_SPREAD
    # Predictions are those of the chosen checkpoint.
    known = read if question.measure.checkpoint == "chosen" else lambda run, split: None
    interval = interval_over_examples(scored, known, question.measure.split)
    return interval, NO_SPREAD if interval.half_width is None else SAME_SCORES


def _word(cell: Cell) -> str:
    """What stands in place of a number."""
    return "no metric" if cell.ok else cell.runs[-1].status.replace("_", " ")


def _reasons(cell: Cell, scored: Scored | None, seeds: Set[int], question: Question, untested: str | None) -> list[str]:
    """The footnotes of a cell; ``seeds`` are those of its comparison, or those that a race asked of it."""
    reasons, folds = _status_reasons(cell), cell.runs[0].spec.task.folds
    measure = question.measure
    if cell.ok and (missing := seeds - {replicate(run) for run in cell.runs}):
        reasons.append(f"no run of seed {format_runs(missing, folds)}")
    if cell.ok and not scored:
        reasons.append(f"no {measure.split} metric at the {measure.checkpoint} checkpoint")
    if scored and (endless := [seed for seed, value in scored.scores.items() if not math.isfinite(value)]):
        reasons.append(f"seed {format_runs(endless, folds)}: {scored.metric.name} is not a finite number")
    if untested:
        reasons.append(untested)
    return reasons + [f"mixes {problem}: not compared" for problem in question.problems if cell.ok]


def _status_reasons(cell: Cell) -> list[str]:
    """One sentence for each way in which runs of the cell did not end well."""
    seeds: dict[str, list[int]] = {}
    for run in cell.runs:
        if run.status != "ok":
            status = run.status.replace("_", " ")
            seeds.setdefault(f"{status}: {run.reason}" if run.reason else status, []).append(replicate(run))
    if len(seeds) == 1 and not cell.ok:
        return list(seeds)
    return [f"seed {format_runs(found, cell.runs[0].spec.task.folds)} {reason}" for reason, found in seeds.items()]


def mean_costs(cell: Cell, costs: Sequence[Quantity]) -> tuple[float | None, ...]:
    """Means over the finished runs, None where one of them has no value; empty where there is no finished run."""
    return tuple(_mean([cost.of(run) for run in cell.ok]) for cost in costs) if cell.ok else ()


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
