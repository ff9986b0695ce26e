"""What the cells of a table show: numbers, standings and footnotes. Imports no torch."""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.cells.answered import interval_over_examples
from harness.cells.cells import Cell, Comparison, Key, Layout, find_all_mixed
from harness.cells.scores import Measure, Scored, score_cells
from harness.cells.ties import Family, Verdict, find_ties
from harness.metric import Metric
from harness.probe import Quantity
from harness.statistics.intervals import Floats, Interval, seed_correlation
from harness.storage.predictions import Read
from harness.tables.footer import Evidence, format_seeds

Standing = Literal["best", "tied", "worse", ""]
"""The highest mean; may be the best too; found worse; not compared."""

SAME_SCORES = "all seeds score the same: ± is the 95 % interval of drawing other test examples"
NO_SPREAD = "all seeds score the same, and examples tell no variance: no interval"


@dataclass(frozen=True)
class Entry:
    """What one cell shows: an interval, or a word in its place; the numbers of its footnotes.

    ``is_percent`` says how the interval is shown, ``variation`` what it holds; ``n_planned`` counts the seeds that any
    cell of the comparison was run on.
    """

    interval: Interval | None = None
    word: str = ""
    standing: Standing = ""
    variation: Literal["seeds", "examples"] = "seeds"
    n_planned: int = 0
    is_percent: bool = True
    notes: tuple[int, ...] = ()
    costs: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class JudgedCells:
    """The entries by row and column, the metric of each column, the footnotes, and what was tested."""

    entries: Mapping[tuple[Key, Key], Entry]
    metrics: Mapping[Key, Metric]
    notes: tuple[str, ...]
    evidence: Evidence


def judge(
    comparisons: Sequence[Comparison],
    layout: Layout,
    measure: Measure,
    read: Read,
    costs: Sequence[Quantity],
    family: Family,
    allow_mixed: bool,
) -> JudgedCells:
    """Mean, standing, costs and footnotes of every cell; arguments as for ``table.make_table``."""
    mixed = find_all_mixed(comparisons, read, measure.split, allow_mixed)
    scored = [score_cells(comparison, measure) for comparison in comparisons]
    # Predictions are those of the chosen checkpoint: nothing can be tested about the last one.
    tested = [
        cells if not problems and measure.checkpoint == "chosen" else []
        for cells, problems in zip(scored, mixed, strict=True)
    ]
    families = [
        comparison.key if family == "comparison" else _without_task(comparison.key, layout)
        for comparison in comparisons
    ]
    verdicts = find_ties(tested, read, measure.split, families)
    notes: list[str] = []
    entries: dict[tuple[Key, Key], Entry] = {}
    for comparison, cells, verdict, problems in zip(comparisons, scored, verdicts, mixed, strict=True):
        places = {id(one.cell): place for place, one in enumerate(cells)}
        seeds = {run.spec.seed for cell in comparison.cells for run in cell.runs}
        for cell in comparison.cells:
            place = places.get(id(cell), -1)
            one = cells[place] if place >= 0 else None
            interval, note = _interval(one, measure, read) if one else (None, "")
            reasons = _reasons(cell, one, seeds, measure, verdict.untested.get(place), problems)
            entries[cell.row, cell.column] = Entry(
                interval=interval,
                word="" if one else _word(cell),
                standing=_standing(place, verdict),
                variation="examples" if note == SAME_SCORES else "seeds",
                n_planned=len(seeds),
                is_percent=one is None or one.metric.is_percent,
                notes=tuple(_number(reason, notes) for reason in [*reasons, note] if reason),
                costs=mean_costs(cell, costs),
            )
    metrics = {one.cell.column: one.metric for cells in scored for one in cells}
    return JudgedCells(entries, metrics, tuple(notes), _evidence(scored, tested, verdicts, layout, family))


def _without_task(key: Key, layout: Layout) -> Key:
    """What the comparisons of all tasks of a family share."""
    return tuple(value for field, value in zip(layout.shared, key, strict=True) if field != "task")


def _evidence(
    scored: Sequence[Sequence[Scored]],
    tested: Sequence[Sequence[Scored]],
    verdicts: Sequence[Verdict],
    layout: Layout,
    family: Family,
) -> Evidence:
    return Evidence(
        n_tests=sum(verdict.n_tests for verdict in verdicts),
        scope=() if family == "comparison" else tuple(field for field in layout.shared if field != "task"),
        family=family,
        metrics=tuple({one.metric.name: one.metric for cells in scored for one in cells}.values()),
        floors=tuple((cells[0].metric, v.floor) for cells, v in zip(tested, verdicts, strict=True) if v.floor),
        seed_correlation=seed_correlation(table for cells in tested if (table := _by_seed(cells)) is not None),
    )


def _by_seed(cells: Sequence[Scored]) -> Floats | None:
    """The finite scores on the seeds that all cells have, shape (cells, seeds); None for fewer than two such seeds."""
    cells = [one for one in cells if one.is_finite]
    seeds = sorted(set.intersection(*(set(one.scores) for one in cells))) if cells else []
    return np.array([[one.scores[seed] for seed in seeds] for one in cells]) if len(seeds) > 1 else None


def _standing(place: int, verdict: Verdict) -> Standing:
    if verdict.best is None or place < 0 or place in verdict.untested:
        return ""
    return "best" if place == verdict.best else "tied" if place in verdict.tied else "worse"


def _interval(scored: Scored, measure: Measure, read: Read) -> tuple[Interval, str]:
    """The interval of a cell, and a footnote where it isn't one over seeds."""
    if scored.interval.half_width != 0:
        return scored.interval, ""
    # Predictions are those of the chosen checkpoint.
    known = read if measure.checkpoint == "chosen" else lambda run, split: None
    interval = interval_over_examples(scored, known, measure.split)
    return interval, NO_SPREAD if interval.half_width is None else SAME_SCORES


def _number(text: str, notes: list[str]) -> int:
    """The number of a footnote, added if it is new."""
    if text not in notes:
        notes.append(text)
    return notes.index(text) + 1


def _word(cell: Cell) -> str:
    """What stands in place of a number."""
    return "no metric" if cell.ok else cell.runs[-1].status.replace("_", " ")


def _reasons(
    cell: Cell,
    scored: Scored | None,
    seeds: Set[int],
    measure: Measure,
    untested: str | None,
    problems: Sequence[str],
) -> list[str]:
    """The footnotes of a cell; ``seeds`` are those of its comparison."""
    reasons = _status_reasons(cell)
    if cell.ok and (missing := seeds - {run.spec.seed for run in cell.runs}):
        reasons.append(f"no run of seed {format_seeds(missing)}")
    if cell.ok and not scored:
        reasons.append(f"no {measure.split} metric at the {measure.checkpoint} checkpoint")
    if scored and (endless := [seed for seed, value in scored.scores.items() if not math.isfinite(value)]):
        reasons.append(f"seed {format_seeds(endless)}: {scored.metric.name} is not a finite number")
    if untested:
        reasons.append(untested)
    return reasons + [f"mixes {problem}: not compared" for problem in problems if cell.ok]


def _status_reasons(cell: Cell) -> list[str]:
    """One sentence for each way in which runs of the cell did not end well."""
    seeds: dict[str, list[int]] = {}
    for run in cell.runs:
        if run.status != "ok":
            status = run.status.replace("_", " ")
            seeds.setdefault(f"{status}: {run.reason}" if run.reason else status, []).append(run.spec.seed)
    if len(seeds) == 1 and not cell.ok:
        return list(seeds)
    return [f"seed {format_seeds(found)} {reason}" for reason, found in seeds.items()]


def mean_costs(cell: Cell, costs: Sequence[Quantity]) -> tuple[float | None, ...]:
    """Means over the finished runs, None where one of them has no value; empty where there is no finished run."""
    return tuple(_mean([cost.of(run) for run in cell.ok]) for cost in costs) if cell.ok else ()


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
