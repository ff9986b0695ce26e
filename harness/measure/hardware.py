"""What the processor or GPU computes natively, found out without importing torch."""

import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


@cache
def detect_precision() -> Literal["bf16", "fp32"]:
    """The compute type that ``training.precision = "auto"`` stands for on this machine.

    A processor computes in fp32 also where it has bf16: oneDNN compiles a kernel for every new shape of a batch, which
    costs short runs of small models 1.7 times the seconds and twice the memory (LoRA on minilm, 30 steps, AMX; a 135M
    decoder is as fast in both), and one processor's results would not be another's.
    """
    return "bf16" if has_nvidia_gpu() else "fp32"


def has_nvidia_gpu() -> bool:
    """Whether the driver exposes an NVIDIA GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def cpu_flags() -> set[str]:
    """Instruction-set flags of the first processor; empty where the system publishes none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split()[2:]) for line in lines if line.startswith(("flags", "Features"))), set())


def autocast(device: "torch.device", precision: str) -> "AbstractContextManager[object]":
    """The context in which forward passes are computed in bf16, or an empty one."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
