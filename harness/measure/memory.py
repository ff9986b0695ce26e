"""Peak memory by phase."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch


def memory_kind() -> Literal["cuda", "rss"]:
    """What is measured: memory allocated on the GPU, or resident memory of the process."""
    return "cuda" if torch.cuda.is_available() else "rss"


class PhaseMemory:
    """The largest memory in bytes reached in each phase; a phase inside another one is counted apart from it."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._phases: list[str] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a block as a phase; one entered again keeps its larger peak."""
        self._close()
        self._phases.append(name)
        try:
            yield
        finally:
            self._close()
            self._phases.pop()

    def _close(self) -> None:
        """Add what was reached since the last call to the innermost phase."""
        if self._phases:
            name = self._phases[-1]
            self.peaks[name] = max(self.peaks.get(name, 0), _peak())
        _reset()


def _reset() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM, see proc(5)
    except OSError:
        return  # then the peak is that of the whole process so far


def _peak() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
