"""Compare ways of adapting a pretrained model: equal budgets, shared seeds, paired statistics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.libraries.bitsandbytes import refuse_hub_kernels

if TYPE_CHECKING:
    from harness.core.spec import RunSpec
    from harness.runs.run import run

__all__ = ["RunSpec", "run"]

refuse_hub_kernels()


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use: ``run`` brings torch, which takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    module = "harness.runs.run" if name == "run" else "harness.core.spec"
    return getattr(import_module(module), name)
