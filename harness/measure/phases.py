"""What a counter says was spent in each phase of a run."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Phase = TypeVar("Phase", bound=str)


@dataclass
class PhaseMeter(Generic[Phase]):
    """Shares what a counter counts out among phases, that of a phase inside another one to the inner one alone.

    Equal to one that has counted the same.

    Args:
        read: The counter, which only grows: seconds, joules.
    """

    read: Callable[[], float] = field(compare=False)
    spent: defaultdict[Phase, float] = field(default_factory=lambda: defaultdict(float), init=False)
    _phases: list[Phase] = field(default_factory=list, init=False)
    _last: float = field(default=0.0, init=False)

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
        now = self.read()
        if self._phases:
            self.spent[self._phases[-1]] += now - self._last
        self._last = now
