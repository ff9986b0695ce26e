"""Which cells of a table can't be separated from the best of their comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from harness.compare.answered import answer_cells
from harness.compare.difference import SeedVariance, difference, pool_seed_variance, seeds_only_p, shared_seeds
from harness.compare.predictions import Read
from harness.compare.scores import Scored, Split
from harness.compare.statistics import LEVEL, holm

Family = Literal["table", "comparison"]
"""Over which pairs an error anywhere counts as one error."""

TOO_FEW = "fewer than two finished seeds in common with the best: not compared"
UNREADABLE = "no predictions of the same test examples: not compared"


@dataclass(frozen=True)
class Pair:
    """Two cells of one comparison, by their places in it, and the p-value known so far."""

    a: int
    b: int
    p_value: float
    pooled: SeedVariance | None


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
    screened = [_of_best(cells, screen(cells)) for cells in comparisons]
    hopeful = _rejected(screened, family)
    tested = [_test(*work, read, split) for work in zip(comparisons, screened, hopeful, strict=True)]
    rejected = _rejected([pairs for pairs, _ in tested], family)
    verdicts = [
        _verdict(cells, pairs, separate, unreadable)
        for cells, (pairs, unreadable), separate in zip(comparisons, tested, rejected, strict=True)
    ]
    return verdicts, sum(len(pairs) for pairs in screened)


def _best(cells: Sequence[Scored], pairs: Sequence[Pair]) -> int | None:
    """The place of the best cell that shares two seeds with another."""
    places = sorted({place for pair in pairs for place in (pair.a, pair.b)})
    return max(places, key=lambda place: cells[place].interval.mean, default=None)


def _of_best(cells: Sequence[Scored], pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, those of two cells that aren't best with a p-value of 1."""
    best = _best(cells, pairs)
    return [pair if best in (pair.a, pair.b) else replace(pair, p_value=1.0) for pair in pairs]


def screen(cells: Sequence[Scored]) -> list[Pair]:
    """Every pair that shares two seeds, with the p-value if examples added nothing."""
    pooled: dict[tuple[int, ...], SeedVariance | None] = {}
    pairs = []
    for a, b in combinations(range(len(cells)), 2):
        seeds = tuple(shared_seeds(cells[a].scores, cells[b].scores))
        if len(seeds) < 2:
            continue
        if seeds not in pooled:
            peers = [cell for cell in cells if set(seeds) <= set(cell.scores)]
            pooled[seeds] = pool_seed_variance(np.array([[cell.scores[seed] for seed in seeds] for cell in peers]))
        by_seed = np.array([cells[a].scores[seed] - cells[b].scores[seed] for seed in seeds])
        pairs.append(Pair(a, b, seeds_only_p(by_seed, pooled[seeds]), pooled[seeds]))
    return pairs


def _rejected(comparisons: Sequence[Sequence[Pair]], family: Family) -> list[list[bool]]:
    """Which pairs of each comparison Holm rejects."""
    if family == "comparison":
        return [(holm([pair.p_value for pair in pairs]) <= LEVEL).tolist() for pairs in comparisons]
    flags = iter((holm([pair.p_value for pairs in comparisons for pair in pairs]) <= LEVEL).tolist())
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


def _verdict(cells: Sequence[Scored], pairs: Sequence[Pair], separate: Sequence[bool], unreadable: set[int]) -> Verdict:
    """What is tied with the best, and what could not be compared with it."""
    best = _best(cells, pairs)
    if best is None or best in unreadable:
        reason = TOO_FEW if best is None else UNREADABLE
        return Verdict(untested=dict.fromkeys(range(len(cells)), reason) if len(cells) > 1 else {})
    rivals = {
        pair.a + pair.b - best: flag for pair, flag in zip(pairs, separate, strict=True) if best in (pair.a, pair.b)
    }
    untested = {
        place: UNREADABLE if place in unreadable else TOO_FEW
        for place in range(len(cells))
        if place != best and (place in unreadable or place not in rivals)
    }
    tied = {place for place, flag in rivals.items() if not flag} - unreadable
    return Verdict(frozenset({best, *tied} if rivals.keys() - unreadable else ()), untested)
