"""Which cells of a table may be the best of their comparison.

Bold are the cells that with 95 % confidence contain the best: all but those that a one-sided test finds worse than the
best mean. Each of the K - 1 others is tested against it alone, not every pair, and Holm's correction runs over those
comparisons of all tasks. A method that is one of the best is dropped with probability 5 % at most, wherever in the
table; that all of several equal methods are kept is not promised.

Source:
    Gupta 1965, On some multiple decision rules (subset selection); Hsu 1984, Constrained simultaneous confidence
    intervals for multiple comparisons with the best.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.cells.answered import answer_cells
from harness.cells.race import Raced, Standing, judged_cells
from harness.cells.scores import Scored
from harness.cells.sharing import Sharing
from harness.statistics.difference import Difference, SeedVariance, difference, folds_difference, least_p
from harness.statistics.intervals import LEVEL, Floats, holm
from harness.storage.predictions import Read

POWER = 0.8
"""Of the noise floor: the probability of seeing a difference that large."""

TOO_FEW = "fewer than two finished seeds in common with the best: not compared"
UNREADABLE = "no predictions of the same test examples: not compared"
NOT_FINITE = "not a finite number: not compared"
NOT_IN_RACE = "not in the race of the others: not compared"
OTHER_RUNS = "the race judged other runs: not compared"
OTHER_METRIC = "raced on another metric or split: not compared"


@dataclass(frozen=True)
class Rival:
    """A cell beside the best of its comparison: best - cell, if predictions were read, and the p-value of a lead."""

    place: int
    p_value: float
    pooled: SeedVariance | None
    lead: Difference | None = None


@dataclass(frozen=True)
class Verdict:
    """The place of the best cell, those of all that may be the best, and why other cells were not compared.

    ``floor`` is the smallest lead that would have been seen with 80 % power, None where nothing was compared.
    """

    best: int | None = None
    tied: frozenset[int] = frozenset()
    untested: Mapping[int, str] = field(default_factory=dict)
    n_tests: int = 0
    floor: float | None = None

    def standing(self, place: int) -> Standing:
        """Of a cell by its place in the comparison."""
        if self.best is None or place in self.untested:
            return ""
        return "best" if place == self.best else "tied" if place in self.tied else "worse"


@dataclass(frozen=True)
class Looked:
    """What p-values of a look at growing data are corrected for beside each other.

    Args:
        n_tests: Hypotheses that no look has rejected yet, those included that this look doesn't test.
        over_looks: Gives the p-values over all looks from those of this one.
    """

    n_tests: int
    over_looks: Callable[[Floats], Floats]


def find_ties(
    comparisons: Sequence[Sequence[Scored]], read: Read, split: str, families: Sequence[Hashable]
) -> list[Verdict]:
    """The verdict on each comparison.

    Args:
        comparisons: The cells of each.
        read: Gives a run's predictions.
        split: The split that was scored.
        families: Names the family of each comparison; Holm's correction runs within a family.
    """
    verdicts: dict[int, Verdict] = {}
    by_family: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, (cells, family) in enumerate(zip(comparisons, families, strict=True)):
        if raced := judged_cells(cells):
            verdicts[place] = _verdict_of_race(cells, raced, split)
        else:
            by_family[family].append(place)
    for places in by_family.values():
        found = judge_family([comparisons[place] for place in places], read, split)
        verdicts |= zip(places, found, strict=True)
    return [verdicts[place] for place in range(len(comparisons))]


def _verdict_of_race(cells: Sequence[Scored], raced: Mapping[int, Raced], split: str) -> Verdict:
    """What a race has decided of its cells."""
    untested = {place: NOT_IN_RACE for place in range(len(cells)) if place not in raced}
    for place, found in raced.items():
        scored = cells[place]
        if split != "test" or scored.metric.name != scored.runs[0].primary_metric:
            untested[place] = OTHER_METRIC
        elif not found.judged <= {run.run_id for run in scored.cell.runs}:
            untested[place] = OTHER_RUNS
    judged = {place: found.cell.standing for place, found in raced.items() if place not in untested}
    best = next((place for place, standing in judged.items() if standing == "best"), None)
    tied = frozenset(place for place, standing in judged.items() if standing in ("best", "tied"))
    return Verdict(best, tied if best is not None else frozenset(), untested)


def judge_family(
    comparisons: Sequence[Sequence[Scored]], read: Read, split: str, looked: Looked | None = None
) -> list[Verdict]:
    """The verdicts on comparisons that are corrected together, at a look where the data may grow.

    Predictions are read only where they can matter: of the best, of the nearest rival (for the noise floor), and of
    rivals that Holm would reject if examples added nothing and the variance of seeds were known.

    Cells that turn out to have no predictions are left out, and the others judged as if those weren't there.
    """
    unreadable: list[set[int]] = [set() for _ in comparisons]
    while True:
        sharing = [Sharing(cells, lost) for cells, lost in zip(comparisons, unreadable, strict=True)]
        bests = [shared.best() for shared in sharing]
        screened = [_screen(*work) for work in zip(comparisons, sharing, bests, strict=True)]
        hopeful = _rejected(screened, looked)
        n_lost = sum(map(len, unreadable))
        tested = []
        for cells, best, rivals, hopes, lost in zip(comparisons, bests, screened, hopeful, unreadable, strict=True):
            tested.append(_test(cells, best, rivals, hopes, lost, read, split))
        if sum(map(len, unreadable)) == n_lost:
            break
    n_tests = sum(map(len, screened))
    return [
        _verdict(cells, best, rivals, separate, lost, n_tests)
        for cells, best, rivals, separate, lost in zip(
            comparisons, bests, tested, _rejected(tested, looked), unreadable, strict=True
        )
    ]


def _screen(cells: Sequence[Scored], sharing: Sharing, best: int | None) -> list[Rival]:
    """Every cell that shares two seeds with the best, with a lower bound of its p-value; of folds with its lead."""
    if best is None:
        return []
    rivals = []
    for pair in sharing.of(best):
        place = pair.b if pair.a == best else pair.a
        ahead = np.array([cells[best].scores[seed] - cells[place].scores[seed] for seed in pair.seeds])
        leads = cells[best].metric.sign * ahead
        if overlap := cells[best].overlap:
            lead = folds_difference(ahead, overlap)
            rivals.append(Rival(place, float(lead.uncertainty.worse_p(leads.mean())), None, lead))
        else:
            rivals.append(Rival(place, least_p(leads, pair.pooled), pair.pooled))
    return rivals


def _rejected(comparisons: Sequence[Sequence[Rival]], looked: Looked | None) -> list[list[bool]]:
    """Which rivals of each comparison Holm rejects."""
    p = np.array([rival.p_value for rivals in comparisons for rival in rivals])
    adjusted = holm(looked.over_looks(p), looked.n_tests) if looked else holm(p)
    flags = iter((adjusted <= LEVEL).tolist())
    return [[next(flags) for _ in rivals] for rivals in comparisons]


def _test(
    cells: Sequence[Scored],
    best: int | None,
    rivals: Sequence[Rival],
    hopeful: Sequence[bool],
    unreadable: set[int],
    read: Read,
    split: str,
) -> list[Rival]:
    """The rivals with the full test where it can matter; adds cells without usable predictions to ``unreadable``.

    Folds have been tested without predictions, which are of other examples in each.
    """
    if best is None or not rivals or cells[best].overlap:
        return list(rivals)
    nearest = max(rivals, key=lambda rival: rival.p_value)
    chosen = [rival for rival, hope in zip(rivals, hopeful, strict=True) if hope or rival is nearest]
    places = [best, *(rival.place for rival in chosen)]
    answered = dict(zip(places, answer_cells([cells[place] for place in places], read, split), strict=True))
    unreadable |= {place for place, found in answered.items() if found is None}
    ours = answered[best]
    result = []
    for rival in rivals:
        theirs = answered.get(rival.place)
        if ours and theirs:
            lead = difference(ours.resampled, theirs.resampled, rival.pooled)
            ahead = cells[best].metric.sign * lead.mean
            rival = replace(rival, lead=lead, p_value=float(lead.uncertainty.worse_p(ahead)))
        result.append(rival)
    return result


def _verdict(
    cells: Sequence[Scored],
    best: int | None,
    rivals: Sequence[Rival],
    separate: Sequence[bool],
    unreadable: set[int],
    n_tests: int,
) -> Verdict:
    """What may be the best, and what could not be compared with it."""
    compared = {rival.place: flag for rival, flag in zip(rivals, separate, strict=True)}
    untested = {
        place: UNREADABLE if place in unreadable or (best is None and unreadable) else TOO_FEW
        for place in range(len(cells))
        if place != best and place not in compared and len(cells) > 1
    } | {place: NOT_FINITE for place, cell in enumerate(cells) if not cell.is_finite}
    if best is None or not compared:
        return Verdict(untested=untested)
    tied = {place for place, flag in compared.items() if not flag}
    leads = [rival.lead.uncertainty for rival in rivals if rival.lead]
    floors = [float(lead.half_width(2 * LEVEL / n_tests) + lead.half_width(2 * (1 - POWER))) for lead in leads]
    return Verdict(best, frozenset({best, *tied}), untested, len(rivals), float(np.median(floors)) if floors else None)
