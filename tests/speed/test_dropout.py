"""Dropout from bulk random bytes: the probabilities of dropout, torch's seeds, attention's formula."""

import math

import pytest
import torch
from scipy.stats import binomtest, kstest
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from harness.speed.dropout import Dropout, attention, dropout, use_bulk_dropout
from harness.testing import tiny

N = 1 << 20


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_drops_with_the_stated_probability(p: float) -> None:
    torch.manual_seed(0)
    dropped = dropout(torch.ones(N), p) == 0
    assert binomtest(int(dropped.sum()), N, p).pvalue > 1e-3


def test_masks_are_independent() -> None:
    """Of the neighbour, of the next call, of the place: shares of dropped pairs are p², gaps are geometric."""
    torch.manual_seed(0)
    p = 0.1
    first, second = (dropout(torch.ones(N), p) == 0 for _ in range(2))
    for shift in (1, 2, 3, 4, 8):
        both = int((first[:-shift] & first[shift:]).sum())
        assert binomtest(both, N - shift, p * p).pvalue > 1e-3
    assert binomtest(int((first & second).sum()), N, p * p).pvalue > 1e-3
    places = first.nonzero().flatten().double() / N
    assert kstest(places.numpy(), "uniform").pvalue > 1e-3


def test_keeps_the_mean_and_scales_gradients_alike() -> None:
    torch.manual_seed(0)
    x = torch.randn(1000, 200, requires_grad=True)
    y = dropout(x, 0.3)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.7, rtol=1e-4, atol=0)
    y.sum().backward()
    torch.testing.assert_close(x.grad, kept / 0.7, rtol=1e-4, atol=0)


def test_follows_torchs_seed() -> None:
    x = torch.ones(64, 64)
    torch.manual_seed(3)
    first = dropout(x, 0.5)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert torch.equal(dropout(x, 0.5), first)
    second = dropout(x, 0.5)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(dropout(x, 0.5), first)
    assert torch.equal(dropout(x, 0.5), second)


def test_recomputed_activations_drop_the_same() -> None:
    x = torch.randn(32, 32, requires_grad=True)
    torch.manual_seed(0)
    y = checkpoint(lambda v: dropout(v, 0.5).exp(), x, use_reentrant=False)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, y == 1)


def test_extremes_and_evaluation() -> None:
    x = torch.randn(8, 8)
    assert torch.equal(dropout(x, 0.0), x)
    assert torch.equal(dropout(x, 1.0), torch.zeros_like(x))
    assert torch.equal(Dropout(0.5).eval()(x), x)


def _qkv(n_key_heads: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, 4, 6, 8, generator=generator),
        torch.randn(2, n_key_heads, 6, 8, generator=generator),
        torch.randn(2, n_key_heads, 6, 8, generator=generator),
    )


@pytest.mark.parametrize("n_key_heads", [4, 2])
@pytest.mark.parametrize("mask", ["none", "bool", "additive"])
def test_attention_drops_its_weights(mask: str, n_key_heads: int) -> None:
    """softmax(Q K^T / sqrt(D) + mask), dropped, times V: by hand with the same mask of dropout."""
    query, key, value = _qkv(n_key_heads)
    allowed = torch.ones(2, 1, 6, 6, dtype=torch.bool)
    allowed[1, :, :, 4:] = False
    added = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    given = {"none": None, "bool": allowed, "additive": added}[mask]
    module = nn.Module()
    module.is_causal = False  # type: ignore[assignment]
    module.num_key_value_groups = 4 // n_key_heads  # type: ignore[assignment]
    torch.manual_seed(0)
    output, _ = attention(module, query, key, value, given, dropout=0.4, scaling=None)
    keys, values = (x.repeat_interleave(4 // n_key_heads, dim=1) for x in (key, value))
    logits = query @ keys.transpose(2, 3) / math.sqrt(8) + (0 if mask == "none" else added)
    torch.manual_seed(0)
    expected = (dropout(logits.softmax(-1), 0.4) @ values).transpose(1, 2)
    torch.testing.assert_close(output, expected)
    without, _ = attention(module, query, key, value, given, dropout=0.0, scaling=None)
    torch.testing.assert_close(without, (logits.softmax(-1) @ values).transpose(1, 2))


@pytest.mark.parametrize("kind", tiny.MODELS)
def test_models_answer_the_same_and_still_drop(kind: str) -> None:
    plain, bulk = tiny.MODELS[kind](), tiny.MODELS[kind]()  # type: ignore[index]
    use_bulk_dropout(bulk)
    inputs = tiny.batch(kind)  # type: ignore[arg-type]
    with torch.no_grad():
        torch.testing.assert_close(bulk(**inputs).logits, plain(**inputs).logits)
        if drops(plain):
            assert not torch.equal(bulk.train()(**inputs).logits, bulk(**inputs).logits)


def drops(model: PreTrainedModel) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p for module in model.modules())
