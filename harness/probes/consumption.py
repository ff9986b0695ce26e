"""Energy and carbon of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from harness.measure.phases import PhaseMeter
from harness.probe import Phase, Probe, Quantity

JOULES_PER_KWH = 3.6e6


class Consumption(Probe):
    """Joules by phase, measured by the processor's counters (RAPL), or estimated where it gives none.

    A measurement is that of the whole package, whoever used it. An estimate is processor time at a stated power; it has
    names of its own, so that no table mixes the two. What a GPU used is measured apart (NVML, with nvidia-ml-py
    installed), the whole device too, and never estimated. Carbon is energy times the stated factor.
    """

    source: ClassVar[str] = (
        "Henderson et al. 2020, section 4, https://arxiv.org/abs/2002.05651; Linux power capping framework, "
        "https://docs.kernel.org/power/powercap/powercap.html; nvmlDeviceGetTotalEnergyConsumption, "
        "https://docs.nvidia.com/deploy/nvml-api/"
    )
    is_of_process: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("train_joules", "measured energy of training without its validations", "J"),
        Quantity("run_joules", "measured energy of the whole run", "J"),
        Quantity("train_joules_estimated", "processor time of training at a stated power", "J"),
        Quantity("run_joules_estimated", "processor time of the whole run at a stated power", "J"),
        Quantity("carbon_grams_estimated", "processor's energy times the stated carbon of a kilowatt hour", "g"),
        Quantity("train_gpu_joules", "measured energy of the GPU in training without its validations", "J"),
        Quantity("run_gpu_joules", "measured energy of the GPU in the whole run", "J"),
        Quantity("gpu_carbon_grams_estimated", "GPU's energy times the stated carbon of a kilowatt hour", "g"),
    )

    watts: float = Field(10.0, gt=0, description="Power of one busy core, for estimates.")
    grams_per_kwh: float = Field(475.0, ge=0, description="Carbon dioxide of a kilowatt hour; 475: the world in 2018.")

    _processor: PhaseMeter[Phase] = PrivateAttr()
    _gpu: PhaseMeter[Phase] = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        """Set up the counters; the library behind them is asked when a run begins."""
        from harness.measure.energy import gpu_counter, joules

        self._processor = PhaseMeter(lambda: joules(self.watts))
        self._gpu = PhaseMeter(lambda: gpu.joules() if (gpu := gpu_counter()) else 0.0)

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Count what is spent, but in phases inside this one."""
        with self._processor.during(phase), self._gpu.during(phase):
            yield

    def spent(self) -> dict[str, float]:
        """Of a failed run too."""
        from harness.measure.energy import gpu_counter, has_counters

        mark = "" if has_counters() else "_estimated"
        found = self._named(self._processor.spent, "{}_joules" + mark, "carbon_grams_estimated")
        if gpu_counter():
            found |= self._named(self._gpu.spent, "{}_gpu_joules", "gpu_carbon_grams_estimated")
        return found

    def _named(self, spent: dict[Phase, float], joules: str, carbon: str) -> dict[str, float]:
        total = sum(spent.values())
        found = {joules.format("run"): total, carbon: total / JOULES_PER_KWH * self.grams_per_kwh}
        return found | ({joules.format("train"): spent["train"]} if "train" in spent else {})
