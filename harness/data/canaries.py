"""Texts that are in no data, planted among those trained on to see what a model remembers of them."""

import numpy as np

from harness.core.seeds import derive

N_DIGITS = 6
"""Of a secret: a million of each canary."""


def secrets(seed: int, canary: int, n: int) -> list[str]:
    """Different texts that a canary could have been, first the one that is planted, which does not depend on ``n``.

    They differ in random digits alone, set apart so that every tokenizer makes as many tokens of each.

    Args:
        seed: Of the run.
        canary: Its number.
        n: Texts, from one to a million.
    """
    random = np.random.default_rng(derive(seed, f"canary/{canary}"))
    planted = int(random.integers(10**N_DIGITS))
    others = random.choice(10**N_DIGITS - 1, size=n - 1, replace=False)
    numbers = [planted, *(others + (others >= planted)).tolist()]
    return [f"the secret of canary {canary} is {' '.join(f'{number:0{N_DIGITS}}')}" for number in numbers]
