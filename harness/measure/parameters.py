"""Logical parameter counts."""

from pathlib import Path

from torch import Tensor, nn

from harness.bases.heads import is_of_head


def count(parameter: Tensor) -> int:
    """Weights a tensor stands for: a packed 4-bit tensor holds two in a byte (bitsandbytes keeps the true shape)."""
    state = getattr(parameter, "quant_state", None)
    return int(state.shape.numel()) if state is not None else parameter.numel()


def measure_params(model: nn.Module, head_names: tuple[str, ...], stored: Path | None) -> dict[str, float]:
    """Counts of an adapted model, shared parameters once, under the names that a record's ``params`` has.

    Args:
        model: The model that a method returned.
        head_names: Modules made for the task.
        stored: Folder with what the method saved, None where it trains nothing.
    """
    # peft keeps the untouched head beside the trained copy; it is no part of the adapted model.
    named = {name: p for name, p in model.named_parameters() if ".original_module." not in name}
    trainable = {name: count(p) for name, p in named.items() if p.requires_grad}
    head = sum(n for name, n in trainable.items() if is_of_head(name, head_names))
    n_trainable, total = sum(trainable.values()), sum(count(p) for p in named.values())
    return {
        "trainable": n_trainable,
        "trainable_final": n_trainable,
        "head": head,
        "total": total,
        "trainable_percent": 100 * n_trainable / total,
        "stored_bytes": sum(f.stat().st_size for f in stored.rglob("*") if f.is_file()) if stored else 0,
    }
