"""Differentially private gradient descent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from harness.core.errors import Unsupported
from harness.core.info import Need
from harness.core.seeds import derive
from harness.core.space import Range
from harness.libraries import opacus
from harness.recipe import Losses, Recipe, Space, Training

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

TOLERANCE = 0.05
"""Of the length of a gradient: what that of a pass may differ from the sum of its examples' (in bf16 by 1 %)."""


class DPSGD(Recipe):
    """Cut the gradient of every example to a length and add noise: hardly anything depends on any one example.

    The curve has the epsilon spent so far, the tables a column ``epsilon``. It speaks of the training alone: what is
    selected on validation, tuned, or compared is published beside it. Noise comes from torch's generator, which is
    good for research and not for protecting anyone.
    """

    source: ClassVar[str] = "Abadi et al. 2016, algorithm 1, https://arxiv.org/abs/1607.00133"
    needs: ClassVar[frozenset[Need]] = frozenset({"example_gradients"})
    is_alone: ClassVar[bool] = True
    is_shareable: ClassVar[bool] = False  # gradients of examples are cut and kept before they reach .grad

    noise: float = Field(1.0, ge=0, description="Standard deviation of the noise, in units of max_norm.")
    max_norm: float = Field(1.0, gt=0, description="Length that the gradient of an example is cut to.")
    delta: float = Field(1e-5, gt=0, lt=1, description="Probability with which epsilon may be exceeded; below 1/N.")
    sampling: Literal["poisson", "shuffled"] = Field(
        "poisson",
        description="Each example by chance in a step, which protects it; or once an epoch, of which epsilon knows.",
    )
    _share: float = PrivateAttr(default=0.0)
    _n_averaged: int = PrivateAttr(default=0)
    _times: "np.ndarray[Any, Any] | None" = PrivateAttr(default=None)
    _counts: list[int] = PrivateAttr(default_factory=list)
    _sums: "dict[nn.Parameter, Tensor]" = PrivateAttr(default_factory=dict)
    _generator: "torch.Generator | None" = PrivateAttr(default=None)
    _is_checked: bool = PrivateAttr(default=False)

    @property
    def passes(self) -> float:
        """LoRA on MiniLM takes 0.94 s a step instead of 0.77."""
        return 1.2

    def begin(self, training: Training) -> None:
        """Start anew."""
        import torch

        opacus.require()
        self._times, self._counts, self._sums, self._is_checked = None, [], {}, False
        self._generator = torch.Generator(device=training.trained[0].device)
        self._generator.manual_seed(derive(training.seed, "recipe/dp_sgd/noise"))

    def state_dict(self) -> dict[str, Any]:
        """Where the noise goes on."""
        assert self._generator
        return {"generator": self._generator.get_state(), "is_checked": self._is_checked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on there."""
        assert self._generator
        self._generator.set_state(state["generator"])
        self._is_checked = state["is_checked"]

    def draw(
        self, training: Training, rows: Sequence[Any], places: Sequence[int], random: "np.random.Generator"
    ) -> Sequence[int]:
        """Each place with the probability that it has on average, or those given.

        Raises:
            Unsupported: a step has more examples than there are, or delta is too large to mean anything.
        """
        import numpy as np

        if self._times is None:
            self._begin_sampling(len(rows), len(places))
        assert self._times is not None
        self._n_averaged = round(self._share * len(rows)) if self.sampling == "poisson" else len(places)
        if self.sampling == "poisson":
            places = np.flatnonzero(random.random(len(rows)) < self._share).tolist()
        np.add.at(self._times, list(places), 1)
        return places

    def _begin_sampling(self, n: int, n_expected: int) -> None:
        import numpy as np

        if n_expected > n:
            raise Unsupported(f"dp_sgd: a step of {n_expected} examples would take some of the {n} twice")
        if self.delta >= 1 / n:
            raise Unsupported(f"dp_sgd: delta={self.delta:g} must be below 1/{n}, one over the training examples")
        self._share, self._times = n_expected / n, np.zeros(n, dtype=int)

    def losses(self, training: Training, batch: Any, inner: Losses) -> "Tensor":
        """The task's, each with a weight of 1 in the gradients, whatever their mean is taken over."""
        import torch

        self._collect(training)
        losses = inner(batch)
        losses.register_hook(torch.ones_like)
        self._counts = [len(row.sequences) for row in batch.rows]
        return losses

    def backward(self, training: Training, inner: Callable[[], float]) -> float:
        """The sum of the cut gradients with noise, over the number of examples (of Poisson samples the mean one)."""
        import torch

        with opacus.example_gradients(training.model):
            loss = inner()
            self._collect(training)
        for parameter in training.trained:
            noise = torch.randn(parameter.shape, generator=self._generator, device=parameter.device)
            total = self._sums.get(parameter, 0) + self.noise * self.max_norm * noise
            parameter.grad = (total / self._n_averaged).to(parameter.dtype)
        self._sums = {}
        return loss

    def _collect(self, training: Training) -> None:
        """Add the cut gradients of the pass before, if there was one."""
        import torch

        counts, self._counts = self._counts, []
        if not counts:
            return
        names = {parameter: name for name, parameter in training.model.named_parameters()}
        found = {p: _by_example(names[p], p, counts) for p in training.trained if p.grad is not None}
        if not self._is_checked:
            for parameter, gradients in found.items():
                _check_sum(names[parameter], parameter, gradients)
            self._is_checked = True
        squares = torch.stack([gradients.flatten(1).square().sum(1) for gradients in found.values()])
        norms = squares.sum(0).sqrt()
        factors = (self.max_norm / norms.clamp_min(1e-12)).clamp_max(1)
        for parameter, gradients in found.items():
            cut = torch.tensordot(factors, gradients, dims=1)
            self._sums[parameter] = self._sums.get(parameter, 0) + cut
            parameter.grad_sample = None  # type: ignore[attr-defined]
        training.log("dp_sgd/cut_share", (factors < 1).float().mean().item())

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        """Those that there are; the epsilon spent so far is put on the curve."""
        if self.noise and self._times is not None:
            training.log("dp_sgd/epsilon", self.epsilon(training.step))
        yield

    def epsilon(self, n_steps: int) -> float:
        """Of so many steps.

        Without Poisson sampling nothing is gained by chance: what counts is how often an example was in a step.
        """
        assert self._times is not None
        if self.sampling == "poisson":
            return _epsilon(self.noise, self._share, n_steps, self.delta)
        return _epsilon(self.noise, 1.0, int(self._times.max()), self.delta)

    def space(self) -> Space:
        """The length; less noise is less private, not better."""
        return {"max_norm": Range(0.01, 10.0, log=True)}


_epsilon = cache(opacus.epsilon)


def _by_example(name: str, parameter: "nn.Parameter", counts: Sequence[int]) -> "Tensor":
    """The gradient of each example of a pass, at least float32, from those of its sequences.

    Raises:
        Unsupported: there are none, or not as many.
    """
    import torch

    gradients: Tensor | None = getattr(parameter, "grad_sample", None)
    if not isinstance(gradients, torch.Tensor) or len(gradients) not in (len(counts), sum(counts)):
        raise Unsupported(f"dp_sgd can't tell the gradients of single examples apart in {name}; use another method")
    gradients = gradients.to(torch.promote_types(gradients.dtype, torch.float32))
    if len(gradients) == len(counts):
        return gradients
    owners = torch.repeat_interleave(torch.tensor(counts)).to(gradients.device)
    return gradients.new_zeros((len(counts), *parameter.shape)).index_add_(0, owners, gradients)


def _check_sum(name: str, parameter: "nn.Parameter", gradients: "Tensor") -> None:
    """Raise Unsupported where the examples' gradients don't add up to that of the pass."""
    assert parameter.grad is not None
    whole = parameter.grad.float()
    if (gradients.sum(0) - whole).norm() > TOLERANCE * whole.norm() + 1e-6:
        raise Unsupported(f"dp_sgd: examples' gradients don't add up to that of all in {name}; use another method")
