"""Changing what a frozen module hands on."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def change_output(module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """From now on the module gives ``change(h)`` for h; some give h as the first of a tuple."""

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    module.register_forward_hook(hook)
