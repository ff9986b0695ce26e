"""Which cells of a table can't be separated from the best of their comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.compare.answered import answer_cells
from harness.compare.difference import difference
from harness.compare.predictions import Read
from harness.compare.scores import Scored, Split
from harness.compare.sharing import Pair, Sharing
from harness.compare.statistics import LEVEL, holm

Family = Literal["table", "comparison"]
"""Over which pairs an error anywhere counts as one error."""

TOO_FEW = "fewer than two finished seeds in common with the best: not compared"
UNREADABLE = "no predictions of the same test examples: not compared"
NOT_FINITE = "not a finite number: not compared"


@dataclass(frozen=True)
class Verdict:
    """The places of the cells tied with the best, and why other cells were not compared."""

    tied: frozenset[int] = frozenset()
    untested: Mapping[int, str] = field(default_factory=dict)


def tie_groups(
    comparisons: Sequence[Sequence[Scored]], read: Read, split: Split, family: Family = "table"
) -> tuple[list[Verdict], int]:
    """The verdict on each comparison, and the number of pairs in all.

    The family is every pair of every comparison, so that a table of equal methods shows a difference anywhere with
    probability 5 % at most; or every pair of one comparison, which says the same of each comparison alone. All pairs
    count, since any cell may turn out best; those of two others are not tested and count as equal.

    Predictions are read only where they can matter: without the variance of examples p-values are smaller, so a pair
    that Holm doesn't reject with those isn't rejected with the full test either.
    """
    sharing = [Sharing(cells) for cells in comparisons]
    n_pairs = [len(shared) for shared in sharing]
    best = [shared.best() for shared in sharing]
    screened = [
        list(shared.of(place)) if place is not None else [] for shared, place in zip(sharing, best, strict=True)
    ]
    hopeful = _rejected(screened, n_pairs, family)
    tested = [_test(*work, read, split) for work in zip(comparisons, screened, hopeful, strict=True)]
    rejected = _rejected([pairs for pairs, _ in tested], n_pairs, family)
    verdicts = [
        _verdict(cells, place, pairs, separate, unreadable)
        for cells, place, (pairs, unreadable), separate in zip(comparisons, best, tested, rejected, strict=True)
    ]
    return verdicts, sum(n_pairs)


def _rejected(comparisons: Sequence[Sequence[Pair]], n_pairs: Sequence[int], family: Family) -> list[list[bool]]:
    """Which pairs of each comparison Holm rejects, of as many as there are."""
    if family == "comparison":
        return [
            (holm([pair.p_value for pair in pairs], n) <= LEVEL).tolist()
            for pairs, n in zip(comparisons, n_pairs, strict=True)
        ]
    p_values = [pair.p_value for pairs in comparisons for pair in pairs]
    flags = iter((holm(p_values, sum(n_pairs)) <= LEVEL).tolist())
    return [[next(flags) for _ in pairs] for pairs in comparisons]


def _test(
    cells: Sequence[Scored], pairs: Sequence[Pair], hopeful: Sequence[bool], read: Read, split: Split
) -> tuple[list[Pair], set[int]]:
    """The pairs with full p-values where they can matter, and the places of cells without usable predictions."""
    places = {place for pair, hope in zip(pairs, hopeful, strict=True) if hope for place in (pair.a, pair.b)}
    answered = answer_cells([cells[place] for place in sorted(places)], read, split)
    known = dict(zip(sorted(places), answered, strict=True))
    unreadable = {place for place, value in known.items() if value is None}
    result = []
    for pair, hope in zip(pairs, hopeful, strict=True):
        a, b = known.get(pair.a), known.get(pair.b)
        if hope:
            p = difference(a.resampled, b.resampled, pair.pooled).p_value if a and b else 1.0
            pair = replace(pair, p_value=p)
        result.append(pair)
    return result, unreadable


def _verdict(
    cells: Sequence[Scored], best: int | None, pairs: Sequence[Pair], separate: Sequence[bool], unreadable: set[int]
) -> Verdict:
    """What is tied with the best, and what could not be compared with it."""
    endless = {place: NOT_FINITE for place, cell in enumerate(cells) if not cell.is_finite}
    if best is None or best in unreadable:
        reason = TOO_FEW if best is None else UNREADABLE
        return Verdict(untested=(dict.fromkeys(range(len(cells)), reason) if len(cells) > 1 else {}) | endless)
    rivals = {
        pair.a + pair.b - best: flag for pair, flag in zip(pairs, separate, strict=True) if best in (pair.a, pair.b)
    }
    untested = {
        place: UNREADABLE if place in unreadable else TOO_FEW
        for place in range(len(cells))
        if place != best and (place in unreadable or place not in rivals)
    }
    tied = {place for place, flag in rivals.items() if not flag} - unreadable
    return Verdict(frozenset({best, *tied} if rivals.keys() - unreadable else ()), untested | endless)
