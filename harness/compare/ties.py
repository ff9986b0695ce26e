"""Which cells of a table can't be separated from the best of their comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from harness.compare.difference import Difference, Resampled, difference, seeds_only_p, shared_seeds
from harness.compare.predictions import Answers, Read, stack
from harness.compare.resampling import bootstrap_scores
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
    count, since any cell may turn out best. The best is tied with the cells from which Holm doesn't separate it.

    Predictions are read only where they can matter: a t-test over seeds has the smaller p-value of the two, so a pair
    that Holm doesn't reject with it isn't rejected with the full test either.
    """
    screened = [_screen(cells) for cells in comparisons]
    hopeful = _rejected(screened, family)
    tested = [_test(*work, read, split) for work in zip(comparisons, screened, hopeful, strict=True)]
    rejected = _rejected([pairs for pairs, _ in tested], family)
    verdicts = [
        _verdict(cells, pairs, separate, unreadable)
        for cells, (pairs, unreadable), separate in zip(comparisons, tested, rejected, strict=True)
    ]
    return verdicts, sum(len(pairs) for pairs in screened)


def _screen(cells: Sequence[Scored]) -> list[Pair]:
    """Every pair that shares two seeds, with the p-value of a t-test over them."""
    pairs = []
    for a, b in combinations(range(len(cells)), 2):
        seeds = shared_seeds(tuple(cells[a].scores), tuple(cells[b].scores))
        if len(seeds) > 1:
            ours, theirs = (np.array([cells[i].scores[seed] for seed in seeds]) for i in (a, b))
            pairs.append(Pair(a, b, seeds_only_p(ours, theirs)))
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
    resampled = resample_cells([cells[place] for place in sorted(places)], read, split)
    known = dict(zip(sorted(places), resampled, strict=True))
    unreadable = {place for place, value in known.items() if value is None}
    result = []
    for pair, hope in zip(pairs, hopeful, strict=True):
        a, b = known.get(pair.a), known.get(pair.b)
        p = pair.p_value if not hope else difference(a, b).p_value if a and b else 1.0
        result.append(Pair(pair.a, pair.b, p))
    return result, unreadable


def resample_cells(cells: Sequence[Scored], read: Read, split: Split) -> list[Resampled | None]:
    """Resampled scores of each cell; None where predictions are missing or of other examples than the first cell's."""
    found = [_read_cell(scored, read, split) for scored in cells]
    reference = next((answers[0] for answers in found if answers), None)
    usable = [bool(answers) and all(map(reference.same_examples, answers)) for answers in found] if reference else []
    kept = [(scored, answers) for scored, answers, good in zip(cells, found, usable, strict=False) if good]
    if not reference or not kept:
        return [None] * len(cells)
    predictions = stack([run for _, answers in kept for run in answers])
    replicates = bootstrap_scores(kept[0][0].metric, reference.targets, predictions)
    bounds = np.cumsum([len(answers) for _, answers in kept])[:-1]
    resampled = iter(
        Resampled(tuple(scored.scores), np.array(list(scored.scores.values())), columns, len(reference.targets))
        for (scored, _), columns in zip(kept, np.split(replicates, bounds, axis=1), strict=True)
    )
    return [next(resampled) if good else None for good in usable]


def _read_cell(scored: Scored, read: Read, split: Split) -> list[Answers]:
    """The answers of each run of a cell, or nothing if a run has none."""
    answers = [found for run in scored.runs if (found := read(run, split)) is not None]
    return answers if len(answers) == len(scored.runs) else []


def _verdict(cells: Sequence[Scored], pairs: Sequence[Pair], separate: Sequence[bool], unreadable: set[int]) -> Verdict:
    """Bold what is tied with the best of the cells that have two seeds; nothing where there is nothing to compare."""
    if len(cells) < 2:
        return Verdict()
    contenders = {place for pair in pairs for place in (pair.a, pair.b)}
    if not contenders or unreadable:
        reason = UNREADABLE if unreadable else TOO_FEW
        return Verdict(untested=dict.fromkeys(unreadable or range(len(cells)), reason))
    best = max(sorted(contenders), key=lambda place: cells[place].mean)
    rivals = {
        pair.a + pair.b - best: flag for pair, flag in zip(pairs, separate, strict=True) if best in (pair.a, pair.b)
    }
    tied = {best} | {place for place, flag in rivals.items() if not flag}
    untested = {place: TOO_FEW for place in range(len(cells)) if place != best and place not in rivals}
    return Verdict(frozenset(tied), untested)


def differences(cells: Sequence[Scored], read: Read, split: Split) -> list[tuple[Pair, Difference]]:
    """The full test of every pair that has two shared seeds and predictions of the same examples."""
    resampled = resample_cells(cells, read, split)
    found = []
    for pair in _screen(cells):
        a, b = resampled[pair.a], resampled[pair.b]
        if a and b:
            found.append((pair, difference(a, b)))
    return found
