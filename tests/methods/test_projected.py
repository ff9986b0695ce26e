"""Optimizers that keep moments of projected gradients: by hand, against AdamW, and what they keep."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from harness.methods._projected import ApolloAdamW, GaLoreAdamW, ProjectedAdamW, by_rank
from harness.methods.apollo import APOLLO
from harness.methods.full import FullFineTuning
from harness.methods.galore import GaLore
from harness.probe import quantities
from harness.runs.run import run
from harness.testing import tiny
from tests.conftest import MakeSpec

BETAS, EPS = (0.9, 0.999), 1e-8
PLAIN: dict[str, Any] = {"lr": 0.1, "betas": BETAS, "eps": EPS, "weight_decay": 0.05}
Make = Callable[[list[dict[str, Any]]], ProjectedAdamW]
MAKERS: dict[str, Make] = {
    "galore": lambda groups: GaLoreAdamW(groups, interval=2, scale=0.5),
    "apollo": lambda groups: ApolloAdamW(groups, interval=2, scale=0.5),
}


def gradients(shape: tuple[int, int], n: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator) for _ in range(n)]


def after(optimizer: Optimizer, weight: nn.Parameter, given: list[Tensor]) -> np.ndarray:
    for gradient in given:
        weight.grad = gradient
        optimizer.step()
    return weight.detach().double().numpy()


def by_hand(name: str, optimizer: ProjectedAdamW, given: list[Tensor]) -> np.ndarray:
    """The same in NumPy, from zero, with columns as the smaller side and the optimizer's own projections."""
    weight, mean, square, norm = np.zeros((6, 4)), np.zeros((6, 2)), np.zeros((6, 2)), None
    for step, tensor in enumerate(given, start=1):
        gradient = tensor.double().numpy()
        if step % 2:
            projection = optimizer.projection(tensor, 2, f"0/{step}").double().numpy()
        low = gradient @ projection
        mean, square = 0.9 * mean + 0.1 * low, 0.999 * square + 0.001 * low**2
        normalized = mean / (np.sqrt(square) + EPS * np.sqrt(1 - 0.999**step))
        if name == "galore":
            moved = normalized @ projection.T
        else:
            moved = gradient * (np.linalg.norm(normalized, axis=1) / np.linalg.norm(low, axis=1))[:, None]
            length = np.linalg.norm(moved)
            allowed = length if norm is None else min(length, 1.01 * norm)
            moved, norm = moved * allowed / length, allowed
        correction = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight = weight * (1 - 0.1 * 0.05) - 0.1 * 0.5 * correction * moved
    return weight


@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_by_hand(name: str, is_wide: bool) -> None:
    """Three steps, with a new projection for the third; a wide matrix is a tall one lying down."""
    given = gradients((6, 4), 3)
    weight = nn.Parameter(torch.zeros(4, 6) if is_wide else torch.zeros(6, 4))
    optimizer = MAKERS[name]([{"params": [weight], "rank": 2, **PLAIN}])
    expected = by_hand(name, optimizer, given)
    found = after(optimizer, weight, [gradient.T for gradient in given] if is_wide else given)
    np.testing.assert_allclose(found.T if is_wide else found, expected, atol=1e-5)


def test_galore_projects_onto_the_main_directions() -> None:
    gradient = gradients((6, 4), 1)[0]
    projection = MAKERS["galore"]([{"params": [nn.Parameter(gradient)], **PLAIN}]).projection(gradient, 2, "").numpy()
    main = np.linalg.svd(gradient.numpy(), full_matrices=False)[2][:2].T
    np.testing.assert_allclose(projection @ projection.T, main @ main.T, atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_plain_groups_are_adamws(name: str) -> None:
    given, weights = gradients((6, 4), 4), [nn.Parameter(torch.ones(6, 4)) for _ in range(2)]
    found = after(MAKERS[name]([{"params": [weights[0]], **PLAIN}]), weights[0], given)
    np.testing.assert_allclose(found, after(AdamW([weights[1]], **PLAIN), weights[1], given), atol=1e-6)


def test_apollos_projections_depend_on_the_seed_alone() -> None:
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        optimizer = MAKERS["apollo"]([{"params": [nn.Parameter(torch.zeros(6, 4))], "rank": 2, **PLAIN}])
        torch.rand(3)
        drawn.append(optimizer.projection(torch.zeros(6, 4), 2, "0/1"))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def kept(method: FullFineTuning | GaLore | APOLLO) -> tuple[int, int]:
    """Numbers that the optimizer of a method keeps after a step, and the weights of the blocks' matrices."""
    model = method.apply(tiny.load("encoder"), tiny.context("encoder"))
    groups = [{"lr": 1e-3, **group} for group in method.groups(model, 1e-3)]
    optimizer = method.optimizer(groups, AdamW)
    inputs = tiny.batch("encoder")
    tiny.loss("encoder", model(**inputs).logits, inputs).backward()
    optimizer.step()
    numbers = sum(v.numel() for state in optimizer.state.values() for v in state.values() if torch.is_tensor(v))
    return numbers, sum(p.numel() for group in groups for p in group["params"])


@pytest.mark.parametrize("method", [GaLore(rank=4), APOLLO(rank=4)], ids=lambda method: type(method).__name__)
def test_little_is_kept_of_the_blocks(method: GaLore | APOLLO) -> None:
    """2 R n + R m for a matrix of n by m in the place of 2 n m, and all parameters are trained."""
    (usual, n_trained), (few, same) = kept(FullFineTuning()), kept(method)
    assert n_trained == same
    hidden, inner, rank = tiny.HIDDEN, 2 * tiny.HIDDEN, 4
    plain = 2 * tiny.BLOCKS * (4 * hidden * hidden + 2 * hidden * inner)
    low = tiny.BLOCKS * (4 * 3 * rank * hidden + 2 * rank * (2 * inner + hidden))
    assert usual - few == pytest.approx(plain - low, abs=200)  # step counters and norms


def test_the_record_says_what_is_kept(make_spec: MakeSpec, tmp_path: Path) -> None:
    """AdamW keeps two numbers of four bytes for each weight, and a step counter for each tensor."""
    full, galore = (run(make_spec(name, training={"max_steps": 2}), tmp_path) for name in ("full", "galore"))
    assert 0 <= (full.cost.optimizer_bytes or 0) - 8 * full.params.trainable < 1000
    assert (galore.cost.optimizer_bytes or 0) < 0.7 * (full.cost.optimizer_bytes or 0)
    assert galore.params.trainable == full.params.trainable
    assert quantities()["optimizer_bytes"].of(galore) == galore.cost.optimizer_bytes


def test_small_matrices_are_trained_as_usual() -> None:
    model = tiny.load("encoder")
    assert "rank" not in by_rank(model, tiny.HIDDEN)[0]
    assert [group.get("rank") for group in by_rank(model, 4)] == [4, None]
