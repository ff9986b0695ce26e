"""What the frozen part of a base gave for a sequence, kept for the next time."""

from typing import Any

import psutil
from torch import Tensor

SHARE_OF_MEMORY = 0.25
"""Of the memory free at the start; sequences beyond it are computed each time."""


class Features:
    """Hidden states by the token ids they belong to, each of shape (T, D) on the CPU.

    A copy of a base shares them, so in a worker they serve every run on that base: other seeds, other trials.
    """

    def __init__(self) -> None:
        self.states: dict[tuple[object, ...], Tensor] = {}
        self.bytes_left = int(SHARE_OF_MEMORY * psutil.virtual_memory().available)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Features":
        return self

    def keep(self, key: tuple[object, ...], state: Tensor) -> None:
        """Store a copy, if there is room."""
        self.bytes_left -= state.nbytes
        if self.bytes_left >= 0:
            self.states[key] = state.detach().to("cpu", copy=True)
