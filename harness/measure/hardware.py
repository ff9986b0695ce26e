"""What the processor or GPU computes natively, found out without importing torch."""

import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""CPU flags of x86 (AVX-512, AMX) and Arm that mean bf16 arithmetic in hardware."""


@cache
def detect_precision() -> Literal["bf16", "fp32"]:
    """The compute type that ``training.precision = "auto"`` stands for on this machine."""
    return "bf16" if has_nvidia_gpu() or BF16_FLAGS & cpu_flags() else "fp32"


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
