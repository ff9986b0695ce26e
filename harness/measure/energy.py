"""Energy of the processor, by its own counters or its time at a stated power, and of the GPU by its own."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
"""Where Linux has the counters: ``intel-rapl:<package>`` on processors of Intel and AMD."""


class Counter:
    """A package's counter, whose value begins anew at its largest.

    Args:
        folder: With energy_uj and max_energy_range_uj.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
        self._last, self._total = self._read(), 0

    def joules(self) -> float:
        """Since the counter was made; asked at least once in each of its rounds (about an hour at 70 W)."""
        now = self._read()
        self._total += (now - self._last) % (self._range + 1)
        self._last = now
        return self._total / 1e6

    def _read(self) -> int:
        return int(self._file.read_text(encoding="ascii"))


@cache
def counters(root: Path = POWERCAP) -> list[Counter]:
    """Of every package that may be read."""
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if folder.name.count(":") == 1:  # others are parts of a package
            try:
                found.append(Counter(folder))
            except (OSError, ValueError):
                return []  # mostly for root only; half the packages would be a wrong sum
    return found


def has_counters() -> bool:
    """Whether energy is measured here."""
    return bool(counters())


def joules(watts_per_core: float, seconds: Callable[[], float] = time.process_time) -> float:
    """Energy so far, from any beginning: measured, or this process' time on all cores at a power."""
    measured = counters()
    return sum(counter.joules() for counter in measured) if measured else seconds() * watts_per_core


class GpuCounter:
    """What a GPU has used since its driver was loaded.

    Args:
        nvml: The library, pynvml.
        uuid: The GPU's, as ``nvidia-smi -L`` shows it.

    Raises:
        Exception: the library's own, where the GPU has no counter: those older than Volta.
    """

    def __init__(self, nvml: Any, uuid: str) -> None:
        nvml.nvmlInit()
        self._nvml, self._device = nvml, nvml.nvmlDeviceGetHandleByUUID(uuid)
        self.joules()

    def joules(self) -> float:
        """From any beginning; the driver counts millijoules."""
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device)) / 1000


@cache
def gpu_counter() -> GpuCounter | None:
    """That of the GPU that torch computes on; None without one, without a counter, or without pynvml."""
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        import pynvml

        uuid = torch.cuda.get_device_properties(torch.cuda.current_device()).uuid
        return GpuCounter(pynvml, f"GPU-{uuid}")
    except (
        Exception
    ):  # the library has an error for each reason; the run has no GPU energy then, and says nothing of it
        return None
