"""What DP-SGD takes from opacus: gradients of single examples, and the accountant."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from harness.libraries.extras import need

if TYPE_CHECKING:
    from torch import Tensor, nn


def require() -> None:
    """Raise a SpecError that says which extra brings opacus, where it is not installed."""
    need("opacus", "privacy")


@contextmanager
def example_gradients(model: "nn.Module") -> Iterator[None]:
    """Inside, a backward pass leaves the gradient of each of its N sequences in what is trained.

    They stand in ``.grad_sample``, shape (N, *shape of the parameter), None where there are none. A layer whose own
    forward is not called, or that mixes sequences, has none or wrong ones: check them.
    """
    hooks = need("opacus.grad_sample", "privacy").GradSampleHooks
    with ExitStack() as held:
        held.enter_context(warnings.catch_warnings())
        # Inputs of a first layer need no gradients, of which torch warns.
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        for handle in _expanded_lookups(model):
            held.callback(handle.remove)
        attached = hooks(model, loss_reduction="sum", strict=False)
        held.callback(attached.cleanup)
        yield


def _expanded_lookups(model: "nn.Module") -> "Iterator[Any]":
    """Hooks that look positions up for each sequence where a model does so once for all of them."""
    from torch import nn

    n_sequences = 1

    def count(_model: "nn.Module", _args: Any, inputs: dict[str, Any]) -> None:
        nonlocal n_sequences
        n_sequences = len(inputs["input_ids"]) if "input_ids" in inputs else n_sequences

    def expand(_lookup: "nn.Module", args: "tuple[Tensor]") -> "tuple[Tensor]":
        (ids,) = args
        return (ids.expand(n_sequences, *ids.shape[1:]) if ids.dim() > 1 and len(ids) == 1 else ids,)

    yield model.register_forward_pre_hook(count, with_kwargs=True)
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.weight.requires_grad:
            yield module.register_forward_pre_hook(expand)


def epsilon(noise: float, share: float, n_steps: int, delta: float) -> float:
    """The epsilon spent by steps of the Gaussian mechanism on Poisson samples: an upper bound, within 0.01 of its own.

    Args:
        noise: Standard deviation of the noise, in lengths that gradients are clipped to; above 0.
        share: Probability that an example is in a step; 1: each is in every step.
        n_steps: Steps.
        delta: Probability with which epsilon may be exceeded.

    Source:
        Gopi et al. 2021, Numerical composition of differential privacy, https://arxiv.org/abs/2106.02848
    """
    import numpy as np

    accountant = need("opacus.accountants", "privacy").PRVAccountant()
    accountant.history = [(noise, share, n_steps)]
    with np.errstate(all="ignore"):  # the logarithm of 0 in a branch that is not taken
        return float(accountant.get_epsilon(delta))
