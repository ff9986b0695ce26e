"""Seeds derived by purpose, so that no two uses share one by accident and methods are paired."""

import hashlib


def derive(seed: int, purpose: str) -> int:
    """A seed in [0, 2**31) for one purpose, from the user's seed.

    SHA-256 of ``"<seed>/<purpose>"``. A method's name is never part of a purpose: every method of a comparison sees
    the same initial head, data order and subsample for the same user seed.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31
