"""Energy of the processor, estimated from its time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from pydantic import Field, PrivateAttr

from harness.probe import Phase, Probe, Quantity


class Energy(Probe):
    """Processor time of the whole run, as energy at a stated power."""

    source: ClassVar[str] = "Henderson et al. 2020, https://arxiv.org/abs/2002.05651 (section 4.2)"
    quantities: ClassVar[tuple[Quantity, ...]] = (Quantity("energy_joules", "processor time times its power", "J"),)

    watts: float = Field(10.0, gt=0, description="Power of one busy core.")

    _seconds: float = PrivateAttr(default=0.0)

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Count the run, of which the other phases are parts."""
        started = time.process_time()
        yield
        if phase == "run":
            self._seconds = time.process_time() - started

    def spent(self) -> dict[str, float]:
        """Of a failed run too: it was spent all the same."""
        return {"energy_joules": self.watts * self._seconds}
