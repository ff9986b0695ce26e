"""The usable context: what a base can read without an index out of bounds, and not a token less."""

import pytest
import torch

from harness.core.errors import Unsupported
from harness.core.spec import RunSpec, parse_spec
from tests.bases.conftest import Saved
from tests.ready import ready


def spec_of(saved: Saved, name: str, method: str = "full", **settings: int) -> RunSpec:
    base = {"name": str(saved(name)), "max_length": 4096}
    spec = parse_spec({"base": base, "task": {"name": "sst2"}, "method": {"name": method, **settings}})
    return spec.updated(formulation="head")


def usable(spec: RunSpec) -> tuple[int, torch.nn.Module]:
    adapted = ready(spec, steps=10)
    adapted.formulation.tokenizer.model_max_length = 1 << 30
    return adapted.formulation.max_length, adapted.model


def answer(model: torch.nn.Module, length: int) -> None:
    read = torch.full((1, length), 7)
    read[:, -1] = 5  # BART's head reads the end token
    with torch.no_grad():
        model(input_ids=read, attention_mask=torch.ones_like(read))


EXPECTED = {"bert": 64, "roberta": 62, "mpnet": 62, "gpt2": 64, "bart": 64, "distilbert": 512}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_longest_input_runs_and_no_longer_one(name: str, saved: Saved) -> None:
    length, model = usable(spec_of(saved, name))
    assert length == EXPECTED[name]
    answer(model, length)
    with pytest.raises((IndexError, RuntimeError)):
        answer(model, length + 1)


@pytest.mark.parametrize(("name", "expected"), [("bert", 54), ("roberta", 52), ("gpt2", 54)])
def test_a_prefix_takes_positions(name: str, expected: int, saved: Saved) -> None:
    length, model = usable(spec_of(saved, name, "prefix"))
    assert length == expected
    answer(model, length)


def test_a_prefix_as_long_as_the_context(saved: Saved) -> None:
    with pytest.raises(Unsupported, match="60 virtual tokens leave 4 for the input in a context of 64"):
        usable(spec_of(saved, "bert", "prefix", n_virtual_tokens=60))
