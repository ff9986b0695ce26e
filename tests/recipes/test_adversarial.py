"""Adversarial recipes against the closed form, on models that are linear in the embedded tokens."""

from math import exp, log1p

import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from harness.formulation import Batch, Row
from harness.recipe import RECIPES, Training
from harness.task import Example

make = RECIPES.make
N_TOKENS, HIDDEN = 3, 4


class Linear(nn.Module):
    """Embeds tokens and reads a number from their sum, or as logits 0 and that number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.weight = nn.Embedding(7, HIDDEN), nn.Parameter(torch.randn(HIDDEN))

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def forward(self, ids: Tensor) -> SequenceClassifierOutput:
        score = self.embedding(ids).sum(1) @ self.weight
        return SequenceClassifierOutput(logits=torch.stack([torch.zeros_like(score), score], dim=1))


@pytest.fixture
def model() -> Linear:
    return Linear()


@pytest.fixture
def batch() -> Batch:
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    rows = [Row(Example(str(n), {}, 0), (sequence,)) for n, sequence in enumerate(ids.tolist())]
    return Batch(rows, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})


def losses(model: Linear, name: str, batch: Batch, **settings: float) -> tuple[Tensor, dict[str, float]]:
    """What a recipe makes of the loss w · Σ x, and what it logs."""
    training = Training(model, n_steps=1, seed=0)
    made = make(name, settings).losses(training, batch, lambda b: model(b.inputs["input_ids"]).logits[:, 1])
    return made, training.take_logged()


def scores(model: Linear, batch: Batch) -> Tensor:
    return model(batch.inputs["input_ids"]).logits[:, 1]


def reach(model: Linear) -> Tensor:
    """What a move of length 1 adds to the score at most: the gradient is w at each token, so |w| √T."""
    return model.embedding.weight.std() * model.weight.norm() * N_TOKENS**0.5


def test_fgm_moves_the_input_along_the_normalized_gradient(model: Linear, batch: Batch) -> None:
    made, logged = losses(model, "fgm", batch, epsilon=2.0)
    plain = scores(model, batch)
    torch.testing.assert_close(made, 2 * plain + 2 * reach(model))
    assert logged["fgm/adversarial_loss"] == pytest.approx((plain + 2 * reach(model)).mean().item(), rel=1e-5)


def test_pgd_ends_at_the_edge_of_the_ball(model: Linear, batch: Batch) -> None:
    made, logged = losses(model, "pgd", batch, epsilon=2.0, n_steps=3)
    torch.testing.assert_close(made, scores(model, batch) + 2 * reach(model))
    assert logged["pgd/adversarial_loss"] == pytest.approx(made.mean().item())


def test_pgd_stays_inside_the_ball(model: Linear, batch: Batch) -> None:
    """One step is longer than the radius; two would be even more so."""
    short, _ = losses(model, "pgd", batch, epsilon=1.0, n_steps=1)
    torch.testing.assert_close(short, scores(model, batch) + reach(model))


def test_freelb_learns_the_mean_of_the_way(model: Linear, batch: Batch) -> None:
    """From the plain input in steps of 2, and in a ball of radius 3: at 0, 2 and 3."""
    made, logged = losses(model, "freelb", batch, start=0.0, step=2.0, epsilon=3.0, n_steps=3)
    torch.testing.assert_close(made, scores(model, batch) + (0 + 2 + 3) / 3 * reach(model))
    assert logged["freelb/last_loss"] == pytest.approx((scores(model, batch) + 3 * reach(model)).mean().item())


def test_freelb_starts_at_its_distance(model: Linear, batch: Batch) -> None:
    """Wherever the start is, it is no further than the radius; one point is passed once."""
    made, _ = losses(model, "freelb", batch, start=1.0, n_steps=1)
    moved = (made - scores(model, batch)).abs()
    assert (moved > 0).all()
    assert (moved <= reach(model)).all()


def bernoulli(score: float, moved: float) -> float:
    """KL(Bernoulli(σ(score)) || Bernoulli(σ(moved))) by its formula with log σ(x) = -log(1 + e^-x)."""
    p = 1 / (1 + exp(-score))
    return p * (log1p(exp(-moved)) - log1p(exp(-score))) + (1 - p) * (log1p(exp(moved)) - log1p(exp(score)))


def test_vat_moves_along_the_only_direction_that_matters(model: Linear, batch: Batch) -> None:
    """The Fisher information of a logistic model is of rank one, with w at each token as its direction."""
    made, logged = losses(model, "vat", batch, epsilon=0.5, weight=3.0)
    plain = scores(model, batch)
    added = ((made - plain) / 3).tolist()
    for score, got in zip(plain.tolist(), added, strict=True):
        both = [bernoulli(score, score + sign * 0.5 * reach(model).item()) for sign in (1, -1)]
        assert min(abs(got - one) for one in both) < 1e-5
        assert got > 1e-3
    assert logged["vat/divergence"] == pytest.approx(sum(added) / 2, rel=1e-5)


def test_smart_steps_from_a_random_place_and_stays_in_the_cube(model: Linear, batch: Batch) -> None:
    """The gradient is a multiple of w at each token: along its sign there, the largest component by the edge."""
    edge, w = 0.5 * model.embedding.weight.std(), model.weight.detach()
    torch.manual_seed(5)
    torch.randint(2**63 - 1, ())  # the seed of dropout is drawn first
    start = edge * (2 * torch.rand(2, N_TOKENS, HIDDEN) - 1)
    sign = (start @ w).sum(1).sign().view(-1, 1, 1)
    end = ((start + edge * sign * w / w.abs().max()).clamp(-edge, edge) @ w).sum(1)
    torch.manual_seed(5)
    made, _ = losses(model, "smart", batch, epsilon=0.5, weight=2.0)
    plain = scores(model, batch)
    for score, move, got in zip(plain.tolist(), end.tolist(), (made - plain).tolist(), strict=True):
        assert got == pytest.approx(2 * (bernoulli(score, score + move) + bernoulli(score + move, score)), rel=1e-3)


def test_padding_is_not_moved(model: Linear, batch: Batch) -> None:
    """Else a longer row in the batch would change how far a shorter one gets."""
    from harness.recipes._embedded import real

    batch.inputs["attention_mask"][1, 2] = 0
    move = real(torch.ones(2, N_TOKENS, HIDDEN), batch)
    assert move.sum((1, 2)).tolist() == [N_TOKENS * HIDDEN, (N_TOKENS - 1) * HIDDEN]
