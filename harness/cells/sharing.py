"""Which cells of a comparison can be paired, and which is the best of them."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.cells.scores import Scored
from harness.statistics.difference import SeedVariance, pool_seed_variance


@dataclass(frozen=True)
class Pair:
    """Two cells of one comparison, by their places in it, and the variance of seeds over all cells with their seeds."""

    a: int
    b: int
    seeds: tuple[int, ...]
    pooled: SeedVariance | None


class Sharing:
    """The pairs of cells that share two seeds; cells that are not finite or left out have none.

    Cells are grouped by their seeds, which are the same for most: pairs are counted, and the best is found, without
    going through all of them.
    """

    def __init__(self, cells: Sequence[Scored], left_out: Collection[int] = ()) -> None:
        self._cells = cells
        self._groups: defaultdict[frozenset[int], list[int]] = defaultdict(list)
        for place, cell in enumerate(cells):
            if cell.is_finite and place not in left_out:
                self._groups[frozenset(cell.scores)].append(place)
        self._pooled: dict[tuple[int, ...], SeedVariance | None] = {}

    def __len__(self) -> int:
        within = sum(math.comb(len(places), 2) for seeds, places in self._groups.items() if len(seeds) > 1)
        between = combinations(self._groups.items(), 2)
        return within + sum(len(p) * len(q) for (seeds, p), (others, q) in between if len(seeds & others) > 1)

    def best(self) -> int | None:
        """The place of the best mean among the cells that can be paired with the most others.

        A cell with a failed seed is best only if all of those have one: its mean is that of the seeds that went well.
        """
        n_rivals = {seeds: self._count_rivals(seeds) for seeds in self._groups}
        most = max(n_rivals.values(), default=0)
        paired = sorted(p for seeds, places in self._groups.items() if 0 < n_rivals[seeds] == most for p in places)
        whole = [place for place in paired if self._cells[place].is_whole]
        return max(whole or paired, key=lambda place: self._cells[place].merit, default=None)

    def _places(self) -> list[int]:
        """Of all cells that can have pairs."""
        return sorted(place for places in self._groups.values() for place in places)

    def _count_rivals(self, seeds: frozenset[int]) -> int:
        """How many others a cell with these seeds shares two with."""
        return sum(
            len(places) - (others == seeds) for others, places in self._groups.items() if len(seeds & others) > 1
        )

    def of(self, place: int) -> Iterator[Pair]:
        """The pairs of one cell, in the order of the others."""
        for other in self._places():
            if other != place and (pair := self._pair(min(place, other), max(place, other))):
                yield pair

    def all(self) -> Iterator[Pair]:
        """Every pair; as many as the square of the cells."""
        for a, b in combinations(self._places(), 2):
            if pair := self._pair(a, b):
                yield pair

    def _pair(self, a: int, b: int) -> Pair | None:
        """Two cells, or None where they don't share two seeds."""
        ours, theirs = self._cells[a], self._cells[b]
        seeds = tuple(sorted(ours.scores.keys() & theirs.scores.keys()))
        return Pair(a, b, seeds, self._pool(seeds)) if len(seeds) > 1 else None

    def _pool(self, seeds: tuple[int, ...]) -> SeedVariance | None:
        """The variance of a seed's difference over all cells that have the seeds."""
        if seeds not in self._pooled:
            peers = sorted(p for others, places in self._groups.items() if others.issuperset(seeds) for p in places)
            scores = [[self._cells[place].scores[seed] for seed in seeds] for place in peers]
            self._pooled[seeds] = pool_seed_variance(np.array(scores))
        return self._pooled[seeds]
