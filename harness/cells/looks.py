"""A race, replayed from the records: at each look, which cells stay in it.

Nothing is remembered between two calls: the same records give the same race, whenever it was stopped.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

from harness.cells.answered import answer_cells
from harness.cells.cells import Cell, Comparison
from harness.cells.race import End, RacedCell, RacedComparison, RaceRecord
from harness.cells.scores import Measure, Scored, score_cells
from harness.cells.sharing import Sharing
from harness.cells.ties import Looked, Verdict, judge_family
from harness.statistics.difference import difference
from harness.statistics.looks import look_levels, p_over_looks
from harness.storage.predictions import Read
from harness.storage.record import Record

FindRun = Callable[[str], Record | None]


def replay(race: RaceRecord, find: FindRun, read: Read) -> RaceRecord:
    """The race as far as its records go; ``n_seeds`` of its cells says what it wants next.

    Args:
        race: Whatever it says of earlier looks is not used.
        find: Gives a finished run.
        read: Gives a run's predictions.
    """
    comparisons = [each.model_copy(update=_begun(each)) for each in race.comparisons]
    for look, n_seeds in enumerate(race.looks):
        if all(each.end for each in comparisons):
            break
        comparisons = [_asked(each, n_seeds) for each in comparisons]
        scored = [_score(each, find) for each in comparisons]
        if None in scored:
            break
        comparisons = _look(race, comparisons, [cells or [] for cells in scored], look, read)
    return race.model_copy(update={"comparisons": comparisons})


def _begun(comparison: RacedComparison) -> dict[str, object]:
    """The fields of a comparison before its first look."""
    cells = [RacedCell(label=cell.label, run_ids=cell.run_ids) for cell in comparison.cells]
    return {"cells": cells, "look": 0, "end": ""}


def _asked(comparison: RacedComparison, n_seeds: int) -> RacedComparison:
    """The comparison with so many seeds asked of what still races in it."""
    racing = [] if comparison.end else comparison.racing
    cells = [
        cell.model_copy(update={"n_seeds": n_seeds}) if place in racing else cell
        for place, cell in enumerate(comparison.cells)
    ]
    return comparison.model_copy(update={"cells": cells})


def _score(comparison: RacedComparison, find: FindRun) -> list[Scored] | None:
    """What races in a comparison, each with its place as its row; None where a run is not made yet."""
    cells = []
    for place in [] if comparison.end else comparison.racing:
        cell = comparison.cells[place]
        runs = [find(run_id) for run_id in cell.run_ids[: cell.n_seeds]]
        if None in runs:
            return None
        cells.append(Cell((place,), (), tuple(run for run in runs if run)))
    return score_cells(Comparison((), tuple(cells)), Measure())


def _look(
    race: RaceRecord, comparisons: list[RacedComparison], scored: Sequence[list[Scored]], look: int, read: Read
) -> list[RacedComparison]:
    """The comparisons after one look at all of them."""
    n_tests = sum(len(each.racing) - 1 for each in comparisons)
    looked = Looked(n_tests, partial(p_over_looks, looks=race.looks, look=look))
    verdicts = judge_family(scored, read, "test", looked)
    level = look_levels(race.looks)[look]
    result = []
    for each, cells, verdict in zip(comparisons, scored, verdicts, strict=True):
        if not each.end:
            after = _after(each, cells, verdict, look + 1)
            end = _end(after, cells, verdict, read, level, is_last=look + 1 == len(race.looks))
            each = after.model_copy(update={"end": end})
        result.append(each)
    return result


def _after(comparison: RacedComparison, cells: Sequence[Scored], verdict: Verdict, look: int) -> RacedComparison:
    """The comparison after a look, without what has left it."""
    standings = {scored.cell.row[0]: verdict.standing(place) for place, scored in enumerate(cells)}
    updated = list(comparison.cells)
    for place in comparison.racing:
        standing = standings.get(place, "")
        leaves = standing == "worse" or place not in standings
        updated[place] = updated[place].model_copy(update={"standing": standing, "left_at": look if leaves else None})
    return comparison.model_copy(update={"cells": updated, "look": look})


def _end(
    comparison: RacedComparison, cells: Sequence[Scored], verdict: Verdict, read: Read, level: float, is_last: bool
) -> End:
    """Why a comparison ends after a look, if it does."""
    racing = comparison.racing
    if len(racing) < 2:
        return "separated"
    is_tested = all(comparison.cells[place].standing for place in racing)
    if is_tested and _reach(cells, verdict, read, level) < comparison.margin:
        return "equivalent"
    return "seeds used up" if is_last else ""


def _reach(cells: Sequence[Scored], verdict: Verdict, read: Read, level: float) -> float:
    """How far the lead of the best over what is tied with it may reach, one-sided at a level.

    That the best is not behind by as much is the second of the two one-sided tests; its lead being no less than 0, it
    follows from the first.
    """
    best = verdict.best
    assert best is not None
    answered = answer_cells(cells, read, "test")
    reach = 0.0
    for pair in Sharing(cells).of(best):
        other = pair.b if pair.a == best else pair.a
        ours, theirs = answered[best], answered[other]
        if other in verdict.tied:
            if not ours or not theirs:
                return math.inf
            lead = difference(ours.resampled, theirs.resampled, pair.pooled)
            reach = max(reach, cells[best].metric.sign * lead.mean + float(lead.uncertainty.half_width(2 * level)))
    return reach
