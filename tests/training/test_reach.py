"""A run whose training never reached what it was to train is told from one that merely starts with zeros."""

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.method import BaseKind
from harness.methods.prefix import PrefixTuning
from harness.runs.run import run
from harness.storage.checkpoint import trainable
from harness.testing import tiny
from harness.training.reach import Reach, Unreached
from tests.conftest import TOY_METHOD, MakeSpec, Register
from tests.representatives import REPRESENTATIVES, small

IDLE = "import torch; model.idle = torch.nn.Parameter(torch.zeros(3)); return model"


def one_step(model: nn.Module, kind: BaseKind, added: frozenset[str]) -> Reach:
    reach = Reach(model, tiny.HEADS[kind], added)
    inputs = tiny.batch(kind)
    tiny.loss(kind, model.train()(**inputs).logits, inputs).backward()
    return reach


@pytest.mark.parametrize("kind", tiny.MODELS)
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_a_first_step_reaches_a_method_of_every_family(name: str, kind: BaseKind) -> None:
    """Also where one factor is zero and the other has no gradient yet."""
    method, model = small(name), tiny.load(kind)
    if reason := method.skip(tiny.base_info(kind), tiny.task_info(kind)):
        pytest.skip(reason)
    own = {id(parameter) for parameter in model.parameters()}
    model = method.apply(model, tiny.context(kind))
    added = frozenset(key for key, parameter in trainable(model).items() if id(parameter) not in own)
    assert added or method.family in ("full", "selective")
    one_step(model, kind, added).check()


def test_a_prefix_that_checkpointing_drops() -> None:
    model = PrefixTuning().apply(tiny.load("encoder"), tiny.context("encoder"))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    reach = Reach(model, ("classifier",), frozenset())
    model.train()(input_ids=tiny.batch("encoder")["input_ids"]).logits.sum().backward()
    with pytest.raises(Unreached, match=r"no gradient ever reached .* prompt_encoder"):
        reach.check()


def test_a_part_that_the_loss_does_not_depend_on() -> None:
    model = tiny.load("encoder").requires_grad_(False)
    model.classifier.requires_grad_(True)
    model.bert.encoder.layer[0].output.dense.bias.requires_grad_(True)
    model.extra = nn.Linear(2, 2)
    one_step(model, "encoder", frozenset()).check()
    with pytest.raises(Unreached, match=r"what the method added: extra\.bias, extra\.weight \(2 in all\)"):
        one_step(model, "encoder", frozenset({"extra.weight", "extra.bias"})).check()


def test_a_head_that_is_never_reached() -> None:
    model = tiny.load("encoder")
    reach = Reach(model, ("classifier",), frozenset())
    model.bert(**tiny.batch("encoder")).last_hidden_state.square().sum().backward()
    with pytest.raises(Unreached, match="classifier"):
        reach.check()


def test_later_gradients_count() -> None:
    model = nn.Linear(2, 1, bias=False)
    reach = Reach(model, (), frozenset())
    for factor in (0.0, 1.0):
        (factor * model(torch.ones(1, 2))).sum().backward()
    reach.check()


def test_such_a_run_has_failed(make_spec: MakeSpec, tmp_path: Path, register: Register) -> None:
    register("methods", "idle", TOY_METHOD.format(body="").replace("return model", IDLE))
    record = run(make_spec("idle", training={"max_steps": 2}), tmp_path)
    assert record.status == "failed"
    assert "idle" in (record.reason or "")


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_prefix_is_skipped_under_checkpointing(kind: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("prefix", kind, training={"gradient_checkpointing": True}), tmp_path)
    assert record.status == "skipped"
    assert "gradient checkpointing drops the past keys" in (record.reason or "")
