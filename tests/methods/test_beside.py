"""Methods that read what the frozen blocks give: their formulas by hand, and the whole base from the cache."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.bases.anatomy import blocks
from harness.bases.load import Base
from harness.method import BaseKind, Method
from harness.methods._phm import KroneckerLinear
from harness.methods._reft import LowRankEdit
from harness.methods._side import Ladder, SideNetwork, SkipConnections
from harness.methods.compacter import Compacter
from harness.methods.ladder import LadderSideTuning
from harness.methods.loreft import LoReFT
from harness.methods.skip_adapters import SkipAdapters
from harness.runs.run import run
from harness.speed.first_token import keep_first_token
from harness.speed.trunk import cache_trunk
from harness.storage.checkpoint import trainable
from harness.testing import tiny
from tests.conftest import MakeSpec

BESIDE: tuple[Method, ...] = (SkipAdapters(), LadderSideTuning())
D = tiny.HIDDEN


def shaken(model: nn.Module, seed: int = 1) -> nn.Module:
    """With what is trained moved at random, so that nothing is zero any more."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in trainable(model).values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_loreft_by_hand() -> None:
    torch.manual_seed(0)
    edit, h = shaken(LowRankEdit(8, 3, first_only=False)), torch.randn(2, 5, 8)
    assert isinstance(edit, LowRankEdit)
    rotation, weight, bias = edit.rotation, edit.source.weight, edit.source.bias
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3))
    for row in range(3):  # R spans what the trained rows span
        torch.testing.assert_close(edit.spanning[row] @ rotation.T @ rotation, edit.spanning[row], atol=1e-5, rtol=1e-5)
    for b, t in ((0, 0), (1, 4)):
        x = h[b, t]
        expected = x + rotation.T @ (weight @ x + bias - rotation @ x)
        torch.testing.assert_close(edit(h)[b, t], expected, atol=1e-5, rtol=1e-5)
    edit.first_only = True
    assert torch.equal(edit(h)[:, 1:], h[:, 1:])
    assert not torch.allclose(edit(h)[:, 0], h[:, 0])


def test_loreft_edits_the_first_token_of_encoders_only() -> None:
    first = LoReFT(positions="first")
    assert first.skip(tiny.base_info("encoder"), tiny.task_info("encoder")) is None
    assert "first token of encoders" in str(first.skip(tiny.base_info("decoder"), tiny.task_info("decoder")))


def test_kronecker_products_by_hand() -> None:
    torch.manual_seed(0)
    rule = nn.Parameter(torch.randn(2, 2, 2))
    layer, x = KroneckerLinear(rule, inputs=6, outputs=4), torch.randn(3, 6)
    weight = sum(torch.kron(rule[i], layer.left[i] @ layer.right[i]) for i in range(2))
    assert isinstance(weight, Tensor)
    torch.testing.assert_close(layer(x), x @ weight.T + layer.bias)


def test_skip_connections_by_hand() -> None:
    network = shaken(SkipConnections(2, 8, rank=3, scaling=0.5))
    assert isinstance(network, SkipConnections)
    first, second = torch.randn(2, 4, 5, 8)
    expected = 0.5 * (first @ network.a[0].T @ network.b[0].T)
    expected = expected + 0.5 * (second @ network.a[1].T @ network.b[1].T)
    torch.testing.assert_close(network([first, second]), expected)


def test_a_ladder_by_hand() -> None:
    network = shaken(Ladder(2, 8, width=4))
    assert isinstance(network, Ladder)
    given, s = [torch.randn(3, 8), torch.randn(3, 8)], torch.zeros(3, 4)
    for rung, h in enumerate(given):
        share = 1 / (1 + torch.exp(-10 * network.gates[rung]))
        s = (1 - share) * s + share * (h @ network.down[rung].weight.T)
        norm, up, _, down = network.inner[rung]  # type: ignore[misc]
        x = (s - s.mean(-1, keepdim=True)) / (s.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        x = torch.nn.functional.gelu((x * norm.weight + norm.bias) @ up.weight.T + up.bias)
        s = s + x @ down.weight.T + down.bias
    torch.testing.assert_close(network(given), s @ network.up.weight.T, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", tiny.MODELS)
@pytest.mark.parametrize("method", [*BESIDE, Compacter()], ids=lambda method: type(method).__name__)
def test_starts_from_the_function_of_the_base(method: Method, kind: BaseKind) -> None:
    model, inputs = method.apply(tiny.load(kind), tiny.context(kind)), tiny.batch(kind)
    with torch.no_grad():
        found, expected = (current(**inputs).logits for current in (model, tiny.load(kind)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def counted(model: nn.Module) -> list[int]:
    """Which blocks run from now on, in turn."""
    ran: list[int] = []

    def noted(index: int) -> Callable[..., None]:
        return lambda *_: ran.append(index)

    for index, block in enumerate(blocks(model)[1]):
        next(module for module in block.modules() if isinstance(module, nn.Linear)).register_forward_hook(noted(index))
    return ran


@pytest.mark.parametrize("first_token", [False, True])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("method", BESIDE, ids=lambda method: type(method).__name__)
def test_the_cache_covers_the_whole_base(method: Method, kind: BaseKind, first_token: bool) -> None:
    """Logits and gradients are those of the plain model, and from the second time on no block runs."""
    inputs, models = tiny.batch(kind), []
    for _ in range(2):
        model = tiny.load(kind)
        if first_token:
            keep_first_token(model)
        models.append(shaken(method.apply(model, tiny.context(kind))))
    plain, cached = models
    base = Base(cached, None, tiny.base_info(kind), tiny.HEADS[kind])  # type: ignore[arg-type]
    assert cache_trunk(cached, base) == tiny.BLOCKS
    ran = counted(cached)
    cached(**inputs)
    assert sorted(set(ran)) == list(range(tiny.BLOCKS))
    ran.clear()
    real = slice(None) if kind == "encoder" else inputs["attention_mask"].bool()
    for current in (plain, cached):
        tiny.loss("encoder", current(**inputs).logits[real][:4].reshape(4, -1), inputs).backward()
    torch.testing.assert_close(cached(**inputs).logits[real], plain(**inputs).logits[real], atol=1e-6, rtol=1e-5)
    assert ran == []
    for (name, a), b in zip(trainable(cached).items(), trainable(plain).values(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4, msg=name)


def test_other_methods_in_the_same_process_read_other_states(make_spec: MakeSpec, tmp_path: Path) -> None:
    """A head alone reads the last block's output, a network beside the base those of all: each its own."""
    from harness.bases import load

    alone = run(make_spec("linear_probe"), tmp_path / "alone")
    load.keep_bases()
    try:
        runs = [run(make_spec(name), tmp_path) for name in ("skip_adapters", "linear_probe", "ladder")]
    finally:
        load._keeps_bases = False
        load._KEPT.clear()
    assert [record.status for record in runs] == ["ok"] * 3, [record.reason for record in runs]
    assert runs[1].curve[-1]["train_loss"] == pytest.approx(alone.curve[-1]["train_loss"], abs=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("method", [*BESIDE, LoReFT(), Compacter()], ids=lambda method: type(method).__name__)
def test_text_generated_from_kept_keys_is_that_of_whole_sequences(method: Method) -> None:
    """Each edit is of a token by itself, so it does not matter in how many pieces a text is read."""
    model = shaken(method.apply(tiny.load("decoder"), tiny.context("decoder")))
    ids = tiny.batch("decoder")["input_ids"][:2]
    options = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    whole, pieces = (model.generate(ids, use_cache=cache, **options) for cache in (False, True))
    assert torch.equal(whole, pieces)


def test_nothing_goes_back_through_the_base() -> None:
    model = SkipAdapters().apply(tiny.load("decoder"), tiny.context("decoder"))
    side = next(module for module in model.modules() if isinstance(module, SideNetwork))
    inputs: list[bool] = []
    side.register_forward_pre_hook(lambda _, args: inputs.extend(h.requires_grad for h in args[0]))
    model(**tiny.batch("decoder"))
    assert inputs == [False] * tiny.BLOCKS
