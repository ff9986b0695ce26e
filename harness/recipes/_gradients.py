"""Gradients that need no backward pass."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def add_gradient(parameter: "nn.Parameter", gradient: "Tensor") -> None:
    """Add to what the backward pass left of a weight, if anything."""
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
