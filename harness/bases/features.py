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
        self.n_beside: int | None = None
        self.bytes_left = int(SHARE_OF_MEMORY * psutil.virtual_memory().available)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Features":
        return self

    def learn(self, returned: "Tensor | tuple[Any, ...]") -> bool:
        """See what a block returns: hidden states alone, or a tuple of them and others; whether those are all None."""
        self.n_beside = len(returned) - 1 if isinstance(returned, tuple) else None
        return self.n_beside is None or all(other is None for other in returned[1:])

    def as_returned(self, state: Tensor) -> "Tensor | tuple[Any, ...]":
        """Hidden states in the form that the blocks return them in."""
        return state if self.n_beside is None else (state, *[None] * self.n_beside)

    def keep(self, key: tuple[object, ...], state: Tensor) -> None:
        """Store a copy, if there is room."""
        self.bytes_left -= state.nbytes
        if self.bytes_left >= 0:
            self.states[key] = state.detach().to("cpu", copy=True)
