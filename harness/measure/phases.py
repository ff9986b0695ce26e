"""What a counter says was spent in each phase of a run."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Phase = TypeVar("Phase", bound=str)


class PhaseMeter(Generic[Phase]):
    """Shares what a counter counts out among phases, that of a phase inside another one to the inner one alone.

    Args:
        read: The counter, which only grows: seconds, joules.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self.spent: defaultdict[Phase, float] = defaultdict(float)
        self._read = read
        self._phases: list[Phase] = []
        self._last = 0.0

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Count for a phase; one that fails has what it spent until then."""
        self._count()
        self._phases.append(phase)
        try:
            yield
        finally:
            self._count()
            self._phases.pop()

    def _count(self) -> None:
        """Add what was spent since the last call to the innermost phase."""
        now = self._read()
        if self._phases:
            self.spent[self._phases[-1]] += now - self._last
        self._last = now
