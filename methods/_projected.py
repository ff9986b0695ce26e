"""AdamW that keeps its moments of gradients projected to few dimensions."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.bases.anatomy import linear_names
from harness.core.seeds import derive

Groups = list[dict[str, Any]]


def by_rank(model: nn.Module, rank: int) -> Groups:
    """What is trained in two groups: matrices of the blocks' linear layers, whose gradients have a rank, and the rest.

    A matrix without more rows and columns than ``rank`` has nothing to save.
    """
    weights = [model.get_submodule(name).weight for name in linear_names(model)]
    matrices = {id(weight) for weight in weights if min(weight.shape) > rank}  # type: ignore[arg-type]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    parts = ([p for p in trained if id(p) in matrices], [p for p in trained if id(p) not in matrices])
    return [group for group in ({"params": parts[0], "rank": rank}, {"params": parts[1]}) if group["params"]]


class ProjectedAdamW(Optimizer):
    """AdamW for plain groups; in those with a ``rank``, moments of G P, shape (n, rank), for a gradient G of (n, m).

    n is the larger side; where it is that of the columns, G is transposed. P, of shape (m, rank), is made anew after
    every ``interval`` steps.

    Args:
        groups: With all that torch's AdamW has in a group.
        interval: Optimizer steps for which P stays.
    """

    def __init__(self, groups: Groups, interval: int) -> None:
        super().__init__(groups, {})
        self.interval = interval
        self.seed = torch.initial_seed()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        every = [(parameter, group) for group in self.param_groups for parameter in group["params"]]
        for place, (parameter, group) in enumerate(every):
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            state["step"] = state.get("step", 0) + 1
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.sub_(group["lr"] * self._direction(parameter.grad, group, state, place))

    def _direction(self, gradient: Tensor, group: dict[str, Any], state: dict[str, Any], place: int) -> Tensor:
        if "rank" not in group:
            return _correction(group, state) * _adam(gradient, group, state)
        is_wide = gradient.shape[0] < gradient.shape[1]
        tall = gradient.T if is_wide else gradient
        if (state["step"] - 1) % self.interval == 0:
            state["projection"] = self.projection(tall, group["rank"], f"{place}/{state['step']}")
        low = tall @ state["projection"]
        moved = _correction(group, state) * self.lifted(tall, low, _adam(low, group, state), state)
        return moved.T if is_wide else moved

    @abstractmethod
    def projection(self, tall: Tensor, rank: int, purpose: str) -> Tensor:
        """P, shape (m, rank), for a gradient of shape (n, m); ``purpose`` tells one from all others."""

    @abstractmethod
    def lifted(self, tall: Tensor, low: Tensor, normalized: Tensor, state: dict[str, Any]) -> Tensor:
        """What is subtracted, but for the rate and the correction of the moments; shape (n, m).

        Args:
            tall: The gradient, shape (n, m).
            low: The gradient projected, shape (n, rank).
            normalized: What Adam makes of ``low``.
            state: Of the parameter, kept from step to step.
        """


def _adam(gradient: Tensor, group: dict[str, Any], state: dict[str, Any]) -> Tensor:
    """The ratio of the moments; times ``_correction`` it is the direction of torch's AdamW."""
    first, second = group["betas"]
    mean = state.setdefault("exp_avg", torch.zeros_like(gradient)).lerp_(gradient, 1 - first)
    square = state.setdefault("exp_avg_sq", torch.zeros_like(gradient))
    square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
    return mean / square.sqrt().add_(group["eps"] * (1 - second ** state["step"]) ** 0.5)


def _correction(group: dict[str, Any], state: dict[str, Any]) -> float:
    """For moments that started from zero."""
    first, second = group["betas"]
    return float((1 - second ** state["step"]) ** 0.5 / (1 - first ** state["step"]))


class GaLoreAdamW(ProjectedAdamW):
    """P holds the singular vectors of G with the largest singular values; ``scale`` times Adam's step is led back.

    Source:
        Zhao et al. 2024, algorithm 2, https://arxiv.org/abs/2403.03507
    """

    def __init__(self, groups: Groups, interval: int, scale: float) -> None:
        super().__init__(groups, interval)
        self.scale = scale

    def projection(self, tall: Tensor, rank: int, purpose: str) -> Tensor:
        """The right singular vectors."""
        right = torch.linalg.svd(tall.float(), full_matrices=False)[2]
        return right[:rank].T.contiguous().to(tall)

    def lifted(self, tall: Tensor, low: Tensor, normalized: Tensor, state: dict[str, Any]) -> Tensor:
        """Back through P."""
        lifted: Tensor = self.scale * normalized @ state["projection"].T
        return lifted


class ApolloAdamW(ProjectedAdamW):
    """P is random; each row of G is scaled as Adam scales that row of G P, times ``scale``.

    The norm of what is subtracted, before moments are corrected, grows by 1 % at most from step to step.

    Source:
        Zhu et al. 2024, algorithm 1, https://arxiv.org/abs/2412.05270
    """

    def __init__(self, groups: Groups, interval: int, scale: float) -> None:
        super().__init__(groups, interval)
        self.scale = scale

    def projection(self, tall: Tensor, rank: int, purpose: str) -> Tensor:
        """From N(0, 1 / rank), by the run's seed alone."""
        generator = torch.Generator().manual_seed(derive(self.seed, f"apollo/{purpose}"))
        return torch.randn(tall.shape[1], rank, generator=generator).div_(rank**0.5).to(tall)

    def lifted(self, tall: Tensor, low: Tensor, normalized: Tensor, state: dict[str, Any]) -> Tensor:
        """The gradient itself, scaled by rows."""
        factors = normalized.norm(dim=1, keepdim=True) / (low.norm(dim=1, keepdim=True) + 1e-8)
        scaled = tall * factors
        norm = scaled.norm()
        before = state.get("norm", norm)
        state["norm"] = torch.where(before > 0, torch.minimum(norm, 1.01 * before), norm)
        return self.scale * scaled * (state["norm"] / (norm + 1e-12))
