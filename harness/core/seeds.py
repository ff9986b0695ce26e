"""Seeds derived by purpose, so that no two uses share one by accident and methods are paired; seeds in words."""

import hashlib
from collections.abc import Iterable


def derive(seed: int, purpose: str) -> int:
    """A seed in [0, 2**31) for one purpose, from the user's seed.

    SHA-256 of ``"<seed>/<purpose>"``. A method's name is never part of a purpose: every method of a comparison sees
    the same initial head, data order and subsample for the same user seed.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31


def format_seeds(seeds: Iterable[int]) -> str:
    """Sorted numbers, with runs of three or more as a range: 0-4, 7."""
    groups: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if groups and seed == groups[-1][-1] + 1:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 2 else ", ".join(map(str, g)) for g in groups)
