"""How many tokens of input a base can read."""

from typing import Any

from torch import Tensor, nn

from harness.core.errors import Unsupported

UNLIMITED = 1 << 30
LEAST = 8
"""As of ``base.max_length``: with fewer, texts are cut to little but the tokens that stand around them."""


def usable_context(model: nn.Module, n_virtual_tokens: int) -> int:
    """Tokens of input at most: the base's positions, without those that it or the method keeps for itself.

    Args:
        model: The base.
        n_virtual_tokens: Positions before the input that the method takes.

    Raises:
        Unsupported: the method leaves less than LEAST.
    """
    positions = getattr(model.config, "max_position_embeddings", None) or UNLIMITED
    usable = int(positions) - _padding_offset(model) - n_virtual_tokens
    if usable < LEAST:
        taken = f"{n_virtual_tokens} virtual tokens leave {max(0, usable)} for the input"
        raise Unsupported(f"{taken} in a context of {positions}; give it fewer")
    return usable


def _padding_offset(model: nn.Module) -> int:
    """RoBERTa and its kin count positions from the one after padding's, so that those up to it hold no token."""
    tables: list[Any] = [
        module
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
    ]
    return max((table.padding_idx + 1 for table in tables if table.padding_idx is not None), default=0)


def of_tokens(states: Tensor, length: int) -> Tensor:
    """What a model gives for the ``length`` tokens it was given, without virtual tokens that a method puts before them.

    Shape (B, virtual + T, …) → (B, T, …).
    """
    return states[:, states.shape[1] - length :]
