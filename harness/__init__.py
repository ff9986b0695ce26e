"""Compare ways of adapting a pretrained model: equal budgets, shared seeds, paired statistics."""

from typing import TYPE_CHECKING, Any

from harness.spec import RunSpec

if TYPE_CHECKING:
    from harness.run import run

__all__ = ["RunSpec", "run"]


def __getattr__(name: str) -> Any:
    """Import ``run`` on first use: it brings torch, which takes seconds."""
    if name == "run":
        from harness.run import run

        return run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
