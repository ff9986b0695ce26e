"""The frozen trunk's cache: the same logits, less work, nothing stale, nothing kept where it may not be."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.bases.anatomy import blocks
from harness.bases.features import Features
from harness.bases.load import Base
from harness.core.spec import parse_spec
from harness.method import METHODS, BaseKind
from harness.methods.last_layers import LastLayers
from harness.runs.run import run
from harness.speed.first_token import keep_first_token
from harness.speed.trunk import cache_trunk, n_frozen_blocks, reads_cache
from harness.testing import tiny
from tests.architectures import save_architecture
from tests.conftest import MakeSpec
from tests.ready import ready
from tests.representatives import small


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


@pytest.mark.parametrize("how", ["inputs_embeds", "hook"])
def test_gradients_with_respect_to_the_input_switch_it_off(how: str) -> None:
    """Else they would be zero or absent, and whoever asked could not tell."""
    gradients = []
    for is_cached in (False, True):
        model = LastLayers(n_layers=1).apply(tiny.load("encoder"), tiny.context("encoder"))
        base = base_of(model, "encoder")
        inputs = {name: value[:3] for name, value in tiny.batch("encoder").items()}
        if is_cached:
            cache_trunk(model, base)
            model(**inputs)
        lookup, seen = model.get_input_embeddings(), []
        if how == "hook":
            lookup.register_forward_hook(lambda *args, seen=seen: seen.append(args[2].requires_grad_()) or seen[-1])
        else:
            seen.append(lookup(inputs.pop("input_ids")).detach().requires_grad_())
            inputs["inputs_embeds"] = seen[0]
        known = dict(base.features.states)
        model(**inputs).logits.square().sum().backward()
        assert base.features.states.keys() == known.keys()
        gradients.append(seen[0].grad)
    assert gradients[0].any()
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-4)


def test_hidden_states_that_are_asked_for_are_computed() -> None:
    model, _, _ = cached("encoder")
    inputs = tiny.batch("encoder")
    states = [model(**inputs, output_hidden_states=True).hidden_states for _ in range(2)]
    for first, second in zip(*states, strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(states[0][0], states[0][1])


@pytest.mark.parametrize("name", ["deberta", "mpnet", "modernbert_body", "distilbert", "llama", "gemma2", "albert"])
def test_blocks_that_take_and_return_more(name: str, tmp_path: Path, tiny_data: Path) -> None:
    """Relative positions, tuples, shared blocks: a second pass answers as the first and as without the cache."""
    folder = save_architecture(name, tmp_path / name)
    data = {"name": "sst2", "path": str(tiny_data)}
    spec = parse_spec({"base": {"name": str(folder)}, "task": data, "method": {"name": "last_layers", "n_layers": 1}})
    answers = []
    for is_cached in (False, True):
        adapted = ready(spec.updated(formulation="head", training={"cache_trunk": is_cached}), steps=4)
        base = adapted.base
        assert reads_cache(adapted.model) == (is_cached and name != "albert")
        inputs = base.tokenizer(["a good film", "the plot is a bit"], padding=True, return_tensors="pt")
        with torch.no_grad():
            answers += [adapted.model(**inputs).logits for _ in range(2)]
        assert len(base.features.states) == 2 * reads_cache(adapted.model)
    for answer in answers[1:]:
        torch.testing.assert_close(answer, answers[0], atol=1e-5, rtol=1e-4)


def test_blocks_that_hand_on_more_than_hidden_states_are_not_kept() -> None:
    """T5's first block computes the positions' bias for all."""
    features = Features()
    assert features.learn(torch.zeros(1))
    assert features.learn((torch.zeros(1), None))
    assert isinstance(features.as_returned(torch.ones(1)), tuple)
    assert not features.learn((torch.zeros(1), torch.zeros(1)))


def test_copies_share_and_memory_is_bounded() -> None:
    features = Features()
    assert copy.deepcopy({"base": features})["base"] is features
    features.bytes_left = 100
    features.keep(("a",), torch.zeros(20))
    features.keep(("b",), torch.zeros(20))
    assert list(features.states) == [("a",)]


ABOVE = ("ladder", "last_layers", "linear_probe", "skip_adapters", "zero_shot")
"""Methods that train nothing in the lowest block."""


@pytest.mark.parametrize("name", [name for name in METHODS.names() if name not in ABOVE])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_nothing_is_kept_below_trained_parts(name: str, kind: BaseKind) -> None:
    method = small(name)
    if reason := method.skip(tiny.base_info(kind), tiny.task_info(kind)):
        pytest.skip(reason)
    model = method.apply(tiny.load(kind), tiny.context(kind))
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
