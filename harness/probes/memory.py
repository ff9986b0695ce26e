"""Peak memory by phase."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from harness.probe import Phase, Probe, Quantity

if TYPE_CHECKING:
    from harness.storage.record import Record


def _peak(run: "Record") -> float:
    """That of training; a method that trains nothing needs the memory of its evaluation."""
    return run.cost.peak_memory_bytes.train or run.cost.peak_memory_bytes.eval


def _kept(run: "Record") -> float | None:
    """Runs of earlier versions did not count it."""
    return run.cost.optimizer_bytes


class Memory(Probe):
    """The largest memory reached in training and in evaluation: on the GPU allocated, else resident in the process."""

    source: ClassVar[str] = (
        "VmHWM, https://man7.org/linux/man-pages/man5/proc_pid_status.5.html, or torch.cuda.max_memory_allocated"
    )
    is_standard: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("peak_memory_bytes", "largest memory of training, or else of evaluation", "B", read=_peak),
        Quantity("optimizer_bytes", "what the optimizer keeps between steps", "B", read=_kept),
    )

    _memory: Any = PrivateAttr(default=None)

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """A peak of each phase."""
        from harness.measure.memory import PhaseMemory

        self._memory = self._memory or PhaseMemory()
        with self._memory.phase(phase):
            yield

    def spent(self) -> dict[str, Any]:
        """The peaks in bytes under the record's keys."""
        from harness.measure.memory import memory_kind

        peaks = {phase: n for phase, n in self._memory.peaks.items() if phase in ("train", "eval")}
        return {"cost.memory_kind": memory_kind()} | {
            f"cost.peak_memory_bytes.{phase}": n for phase, n in peaks.items()
        }
