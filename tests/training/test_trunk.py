"""The frozen trunk's cache: the same logits, less work, nothing stale, nothing kept where it may not be."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness import registry
from harness.bases.anatomy import blocks
from harness.bases.features import Features
from harness.bases.first_token import keep_first_token
from harness.bases.load import Base
from harness.method import BaseKind
from harness.methods.last_layers import LastLayers
from harness.run import run
from harness.spec import MethodSpec
from harness.training.trunk import cache_trunk, n_frozen_blocks
from tests import tiny
from tests.conftest import MakeSpec


def base_of(model: nn.Module, kind: BaseKind) -> Base:
    return Base(model, None, tiny.base_info(kind), tiny.HEADS[kind])  # type: ignore[arg-type]


def cached(kind: BaseKind, n_layers: int = 1) -> tuple[nn.Module, Base, list[int]]:
    """A model that trains its last blocks, and which of its blocks ran, in turn."""
    model = LastLayers(n_layers=n_layers).apply(tiny.load(kind), tiny.context(kind))
    base, ran = base_of(model, kind), []
    for index, block in enumerate(blocks(model)[1]):
        sub = next(module for module in block.modules() if isinstance(module, nn.Linear))
        sub.register_forward_hook(lambda *_, index=index: ran.append(index))
    assert cache_trunk(model, base) == tiny.BLOCKS - n_layers
    return model, base, ran


def read(kind: BaseKind, logits: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """The logits that are not padding's: those differ, and nobody reads them."""
    return logits if kind == "encoder" else logits[inputs["attention_mask"].bool()]


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_same_logits_without_the_frozen_blocks(kind: BaseKind) -> None:
    model, base, ran = cached(kind)
    inputs = tiny.batch(kind)
    expected = LastLayers(n_layers=1).apply(tiny.load(kind), tiny.context(kind))(**inputs).logits
    torch.testing.assert_close(model(**inputs).logits, expected, atol=1e-6, rtol=1e-5)
    assert sorted(set(ran)) == [0, 1, 2]
    assert len(base.features.states) == 4
    ran.clear()
    again = model(**inputs).logits
    assert set(ran) == {2}
    torch.testing.assert_close(read(kind, again, inputs), read(kind, expected, inputs), atol=1e-6, rtol=1e-5)
    part = {name: value[1:3] for name, value in inputs.items()}
    torch.testing.assert_close(model(**part).logits, expected[1:3], atol=1e-6, rtol=1e-5)
    assert set(ran) == {2}


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_gradients_and_dropout_above(kind: BaseKind) -> None:
    model, _, _ = cached(kind)
    plain = LastLayers(n_layers=1).apply(tiny.load(kind), tiny.context(kind))
    inputs = {name: value[:3] for name, value in tiny.batch(kind).items()}
    model(**inputs)
    for current in (model, plain):
        tiny.loss(kind, current(**inputs).logits, inputs).backward()
    for (name, a), b in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4, msg=name)
    if kind == "encoder":
        model.train()
        assert not torch.equal(model(**inputs).logits, model(**inputs).logits), "the trained block drops"


def test_generation_runs_through_all_blocks() -> None:
    model, base, _ = cached("decoder")
    plain = LastLayers(n_layers=1).apply(tiny.load("decoder"), tiny.context("decoder"))
    ids = tiny.batch("decoder")["input_ids"][:2]
    model(input_ids=ids, attention_mask=torch.ones_like(ids))
    options = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(model.generate(ids, **options), plain.generate(ids, **options))
    padded = torch.cat([torch.zeros_like(ids[:, :3]), ids], dim=1)
    mask = (torch.arange(padded.shape[1]) >= 3).long().expand_as(padded)
    before = len(base.features.states)
    left = model(input_ids=padded, attention_mask=mask).logits
    torch.testing.assert_close(left, plain(input_ids=padded, attention_mask=mask).logits)
    assert len(base.features.states) == before, "left-padded inputs have other positions"


def test_features_depend_on_segments_and_blocks() -> None:
    model, base, _ = cached("encoder")
    inputs = tiny.batch("encoder")
    first = model(**inputs, token_type_ids=torch.zeros_like(inputs["input_ids"])).logits
    second = model(**inputs, token_type_ids=torch.ones_like(inputs["input_ids"])).logits
    assert not torch.allclose(first, second)
    assert len(base.features.states) == 8


def test_copies_share_and_memory_is_bounded() -> None:
    features = Features()
    assert copy.deepcopy({"base": features})["base"] is features
    features.bytes_left = 100
    features.keep(("a",), torch.zeros(20))
    features.keep(("b",), torch.zeros(20))
    assert list(features.states) == [("a",)]


@pytest.mark.parametrize("name", [n for n in registry.method_names() if n not in ("last_layers", "zero_shot")])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_nothing_is_kept_below_trained_parts(name: str, kind: BaseKind) -> None:
    model = registry.make_method(MethodSpec(name=name)).apply(tiny.load(kind), tiny.context(kind))
    assert n_frozen_blocks(model, tiny.HEADS[kind]) == 0


def test_a_head_alone_reads_what_the_last_block_gave() -> None:
    model = tiny.load("encoder").requires_grad_(False)
    keep_first_token(model)
    model.classifier.requires_grad_(True)
    inputs = tiny.batch("encoder")
    expected = model(**inputs).logits
    base = base_of(model, "encoder")
    assert cache_trunk(model, base) == tiny.BLOCKS
    for _ in range(2):
        torch.testing.assert_close(model(**inputs).logits, expected)
    assert {state.shape[0] for state in base.features.states.values()} == {1}


def test_without_dropout_a_cached_run_is_the_plain_run(
    make_spec: MakeSpec, tmp_path: Path, snapshots: dict[str, Path]
) -> None:
    """The decoder has no dropout, so the cache changes neither losses nor predictions; the choice is in the record."""
    records = [
        run(make_spec("last_layers", "decoder", training={"cache_trunk": cache}), tmp_path) for cache in (True, False)
    ]
    losses = [[point["train_loss"] for point in record.curve] for record in records]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert records[0].metrics == records[1].metrics
    assert [record.spec.training.cache_trunk for record in records] == [True, False]
