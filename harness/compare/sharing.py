"""Which cells of a comparison can be paired, and how different they look before their examples are read."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.compare.difference import SeedVariance, pool_seed_variance, seeds_only_p
from harness.compare.scores import Scored


@dataclass(frozen=True)
class Pair:
    """Two cells of one comparison, by their places in it, and the p-value known so far."""

    a: int
    b: int
    p_value: float
    pooled: SeedVariance | None


class Sharing:
    """The pairs of cells that share two seeds; cells that are not finite have none.

    Cells are grouped by their seeds, which are the same for most: pairs are counted, and the best is found, without
    going through all of them.
    """

    def __init__(self, cells: Sequence[Scored]) -> None:
        self._cells = cells
        self._groups: defaultdict[frozenset[int], list[int]] = defaultdict(list)
        for place, cell in enumerate(cells):
            if cell.is_finite:
                self._groups[frozenset(cell.scores)].append(place)
        self._pooled: dict[tuple[int, ...], SeedVariance | None] = {}

    def __len__(self) -> int:
        within = sum(math.comb(len(places), 2) for seeds, places in self._groups.items() if len(seeds) > 1)
        between = combinations(self._groups.items(), 2)
        return within + sum(len(p) * len(q) for (seeds, p), (others, q) in between if len(seeds & others) > 1)

    def best(self) -> int | None:
        """The place of the best cell that shares two seeds with another."""
        paired = sorted(
            place
            for seeds, places in self._groups.items()
            if any(len(seeds & others) > 1 and (others != seeds or len(places) > 1) for others in self._groups)
            for place in places
        )
        return max(paired, key=lambda place: self._cells[place].interval.mean, default=None)

    def of(self, place: int) -> Iterator[Pair]:
        """The pairs of one cell, in the order of the others."""
        for other in sorted(place for places in self._groups.values() for place in places):
            if other != place and (pair := self._pair(min(place, other), max(place, other))):
                yield pair

    def all(self) -> Iterator[Pair]:
        """Every pair; as many as the square of the cells."""
        for a, b in combinations(range(len(self._cells)), 2):
            if pair := self._pair(a, b):
                yield pair

    def _pair(self, a: int, b: int) -> Pair | None:
        """Two cells with the p-value if examples added nothing, or None where they don't share two seeds."""
        ours, theirs = self._cells[a], self._cells[b]
        seeds = tuple(sorted(ours.scores.keys() & theirs.scores.keys()))
        if len(seeds) < 2 or not (ours.is_finite and theirs.is_finite):
            return None
        by_seed = np.array([ours.scores[seed] - theirs.scores[seed] for seed in seeds])
        pooled = self._pool(seeds)
        return Pair(a, b, seeds_only_p(by_seed, pooled), pooled)

    def _pool(self, seeds: tuple[int, ...]) -> SeedVariance | None:
        """The variance of a seed's difference over all cells that have the seeds."""
        if seeds not in self._pooled:
            peers = sorted(p for others, places in self._groups.items() if others.issuperset(seeds) for p in places)
            scores = [[self._cells[place].scores[seed] for seed in seeds] for place in peers]
            self._pooled[seeds] = pool_seed_variance(np.array(scores))
        return self._pooled[seeds]
