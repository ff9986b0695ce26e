"""The mean over tasks and the average rank, beside the tasks of a row.

Each task counts once; one with several metrics by their unweighted mean, as in GLUE (Wang et al. 2019,
https://arxiv.org/abs/1804.07461, section 3). Tests out of domain don't count.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.cells.answered import answer_cells
from harness.cells.cells import Cell, Key, Layout
from harness.cells.folds import refuse_folds
from harness.cells.race import judged_cells
from harness.cells.scores import Scored
from harness.cells.sharing import Sharing
from harness.core.errors import SpecError
from harness.statistics.difference import Resampled, difference
from harness.statistics.intervals import LEVEL, holm
from harness.storage.predictions import Read
from harness.tables.entries import SAME_NO_SPREAD, Entry, Notes, Standing, as_difference, without_task
from harness.tables.question import Question
from harness.tables.relative import find_reference, find_worse, pair_with
from harness.tables.spec import TableSpec

Place = tuple[Key, Key]
"""A row, and the values of the column fields but for the task."""


@dataclass(frozen=True)
class Group:
    """What is averaged: the questions of each task about cells that differ in nothing but the task."""

    tasks: Mapping[str, Sequence[Question]]
    places: Mapping[int, Place]
    """Of each cell, by its identity."""


def average_groups(questions: Sequence[Question], layout: Layout, spec: TableSpec) -> list[Group]:
    """The questions about ``spec.split`` by what their comparisons share beside the task.

    Raises:
        SpecError: tasks make no columns, or runs are cross-validated.
    """
    for question in questions:
        refuse_folds((run for cell in question.comparison.cells for run in cell.runs), "--average or --rank")
    if "task" not in layout.columns or "task" in layout.rows:
        raise SpecError("--average and --rank go over the tasks of a row: put task into --columns")
    at = layout.columns.index("task")
    groups: defaultdict[Key, defaultdict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    for question in questions:
        if question.measure.split == spec.split:
            task = str(question.comparison.cells[0].column[at])
            groups[without_task(question.comparison.key, layout)][task].append(question)
    found = []
    for tasks in groups.values():
        cells = [cell for asked in tasks.values() for cell in asked[0].comparison.cells]
        places = {id(cell): (cell.row, cell.column[:at] + cell.column[at + 1 :]) for cell in cells}
        found.append(Group(tasks, places))
    return found


def average_entries(group: Group, layout: Layout, spec: TableSpec, read: Read, notes: Notes) -> dict[Place, Entry]:
    """The mean over tasks by seed, its interval over seeds, and its standing: a family of tests of its own.

    Raises:
        SpecError: the metrics are not all percentages of which more is better.
    """
    _check_metrics(group)
    averaged = _averaged(group)
    cells, resampled = list(averaged.values()), _resampled(group, averaged, read)
    asked = [question for of_task in group.tasks.values() for question in of_task]
    # How many seeds a raced cell has depends on its scores: no fresh test is fair.
    standings = {} if any(judged_cells(question.scored) for question in asked) else _standings(cells, resampled)
    merits = sorted((one.merit for one in cells if one.is_finite), reverse=True)
    n_seeds = len({seed for asked in group.tasks.values() for seed in _seeds(asked[0])})
    entries = [
        Entry(
            interval=replace(one.interval, half_width=one.interval.half_width or None),
            standing=standings.get(number, ""),
            is_second=len(merits) > 1 and one.merit == merits[1],
            is_worse=standings.get(number) == "worse",
            n_planned=n_seeds,
            notes=(notes.number(SAME_NO_SPREAD),) if one.interval.half_width == 0 and spec.spread != "none" else (),
        )
        for number, one in enumerate(cells)
    ]
    if spec.relative_to is not None:
        reference = find_reference([one.cell for one in cells], layout, spec.relative_to)
        entries = _relative(entries, cells, resampled, reference, notes)
    return _missing(group, averaged, spec, notes) | dict(zip(averaged, entries, strict=True))


def _seeds(question: Question) -> set[int]:
    return {run.spec.seed for cell in question.comparison.cells for run in cell.runs}


def _missing(group: Group, averaged: Mapping[Place, Scored], spec: TableSpec, notes: Notes) -> dict[Place, Entry]:
    """The rows without an average, and why."""
    entries = {}
    for place in dict.fromkeys(group.places.values()):
        if place not in averaged:
            lacking = [task for task, asked in group.tasks.items() if place not in _scored_places(group, asked)]
            reason = f"no result on {', '.join(map(spec.shown, lacking))}" if lacking else "tasks share no seed"
            entries[place] = Entry(word="–", notes=(notes.number(f"no average: {reason}"),))
    return entries


def _relative(
    entries: Sequence[Entry],
    cells: Sequence[Scored],
    resampled: Sequence[Resampled | None],
    reference: Cell | None,
    notes: Notes,
) -> list[Entry]:
    """The entries as differences to the reference's."""
    place = next((number for number, one in enumerate(cells) if one.cell is reference), None)
    paired = {} if place is None else pair_with(place, cells, resampled)
    worse = find_worse(paired)
    return [
        entry
        if number == place
        else as_difference(entry, paired[number].interval if number in paired else None, number in worse, notes)
        for number, entry in enumerate(entries)
    ]


def rank_entries(group: Group) -> dict[Place, float]:
    """The average rank over tasks (1 is best, ties share their mean) of the rows that have a result on each of them.

    A task's rank is that of its first metric.
    """
    tables = [
        {group.places[id(one.cell)]: one.merit for one in asked[0].scored if one.is_finite}
        for asked in group.tasks.values()
    ]
    common = [place for place in tables[0] if all(place in table for table in tables)]
    merits = np.array([[table[place] for place in common] for table in tables])
    better = (merits[:, None, :] > merits[:, :, None]).sum(axis=2)
    equal = (merits[:, None, :] == merits[:, :, None]).sum(axis=2)
    ranks = (1 + better + (equal - 1) / 2).mean(axis=0)
    return dict(zip(common, ranks.tolist(), strict=True))


def _check_metrics(group: Group) -> None:
    metrics = {question.scored[0].metric for asked in group.tasks.values() for question in asked if question.scored}
    if wrong := sorted(metric.name for metric in metrics if not (metric.is_percent and metric.higher_is_better)):
        raise SpecError(
            f"an average over tasks is one of percentages of which more is better, and {', '.join(wrong)} is none: "
            "keep other tasks with --where, or choose a --metric"
        )


def _scored_places(group: Group, asked: Sequence[Question]) -> dict[Place, list[Scored]]:
    """The cells of one task that have every metric of it."""
    found: defaultdict[Place, list[Scored]] = defaultdict(list)
    for question in asked:
        for one in question.scored:
            found[group.places[id(one.cell)]].append(one)
    return {place: scored for place, scored in found.items() if len(scored) == len(asked)}


def _averaged(group: Group) -> dict[Place, Scored]:
    """The cells that every task has, with the mean over tasks on each seed that all of them share."""
    tables = [_scored_places(group, asked) for asked in group.tasks.values()]
    averaged = {}
    for place in tables[0]:
        if not all(place in table for table in tables):
            continue
        parts = [table[place] for table in tables]
        seeds = sorted(set.intersection(*(set(one.scores) for scored in parts for one in scored)))
        means = {
            seed: float(np.mean([np.mean([one.scores[seed] for one in scored]) for scored in parts])) for seed in seeds
        }
        if means:
            first = parts[0][0]
            runs = {run.spec.seed: run for scored in parts for run in scored[0].cell.runs}
            averaged[place] = replace(first, cell=Cell(*place, tuple(runs.values())), scores=means)
    return averaged


def _resampled(group: Group, averaged: Mapping[Place, Scored], read: Read) -> list[Resampled | None]:
    """The averages on resamples of every task's examples; None where a task's predictions are missing."""
    answered = [[_answered(group, question, read) for question in asked] for asked in group.tasks.values()]
    found: list[Resampled | None] = []
    for place, one in averaged.items():
        parts = [[by_place.get(place) for by_place in of_task] for of_task in answered]
        known = [[part.at([*one.scores]) for part in of_task if part] for of_task in parts]
        if [len(of_task) for of_task in known] != [len(of_task) for of_task in parts]:
            found.append(None)
            continue
        # Tasks of equally many examples are resampled alike; shifted against each other they are independent.
        shifted = [
            np.roll(np.mean([part.replicates for part in of_task], axis=0), shift, axis=0)
            for shift, of_task in enumerate(known)
        ]
        n_examples = min(part.n_examples for of_task in known for part in of_task)
        scores = np.array(list(one.scores.values()))
        found.append(Resampled(tuple(one.scores), scores, np.mean(shifted, axis=0), n_examples))
    return found


def _answered(group: Group, question: Question, read: Read) -> dict[Place, Resampled]:
    cells = question.testable
    answered = answer_cells(cells, read, question.measure.split) if cells else []
    return {group.places[id(one.cell)]: found.resampled for one, found in zip(cells, answered, strict=True) if found}


def _standings(cells: Sequence[Scored], resampled: Sequence[Resampled | None]) -> dict[int, Standing]:
    """Of the cells that can be compared with the best average, by their places, as in ``cells.ties``."""
    sharing = Sharing(cells, [place for place, found in enumerate(resampled) if found is None])
    best = sharing.best()
    if best is None:
        return {}
    p_values = {}
    for pair in sharing.of(best):
        other = pair.b if pair.a == best else pair.a
        ours, theirs = resampled[best], resampled[other]
        assert ours
        assert theirs
        lead = difference(ours, theirs, pair.pooled)
        p_values[other] = float(lead.uncertainty.worse_p(lead.mean))
    if not p_values:
        return {}
    adjusted = holm(list(p_values.values()))
    standings: dict[int, Standing] = {
        place: "worse" if p <= LEVEL else "tied" for place, p in zip(p_values, adjusted, strict=True)
    }
    return standings | {best: "best"}
