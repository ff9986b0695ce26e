"""Heads: every method trains the same one from the same start, on every architecture, and it is counted apart."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.bases.heads import is_of_head
from harness.bases.load import Wanted, load
from harness.core.errors import SourceError, Unsupported
from harness.core.spec import BaseSpec, parse_spec
from harness.measure.parameters import measure_params
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.resolve import resolve
from tests.architectures import ARCHITECTURES, save_architecture
from tests.bases.conftest import Saved
from tests.representatives import REPRESENTATIVES, SMALLER

WRAPPED = re.compile(r"^base_model\.(model\.)?|modules_to_save\.default\.")
HEADS = {
    "bert": {"bert.pooler.dense": 1056, "classifier": 66},
    "bert_cls2": {"classifier": 66},
    "bert_cls3": {"classifier": 66},
    "roberta": {"classifier.dense": 1056, "classifier.out_proj": 66},
    "roberta_cls2": {"classifier.dense": 1056, "classifier.out_proj": 66},
    "distilbert": {"classifier": 66, "pre_classifier": 1056},
    "deberta": {"classifier": 66, "pooler.dense": 1056},
    "mpnet": {"classifier.dense": 1056, "classifier.out_proj": 66},
    "albert": {"albert.pooler": 1056, "classifier": 66},
    "electra": {"classifier.dense": 1056, "classifier.out_proj": 66},
    "modernbert_body": {"classifier": 66, "head.dense": 1024, "head.norm": 32},
    "llama": {"score": 64},
    "gpt2": {"score": 64},
    "gemma2": {"score": 64},
    "t5": {"classification_head.dense": 1056, "classification_head.out_proj": 66},
    "bart": {"classification_head.dense": 1056, "classification_head.out_proj": 66},
}
"""Architecture → modules of a head for two labels, with their parameters."""


def adapted(folder: Path, method: str, seed: int = 0) -> Adapted | None:
    """A base with a head for two labels, adapted; None where the method is skipped."""
    spec = parse_spec(
        {"base": {"name": str(folder)}, "task": {"name": "sst2"}, "method": {"name": method, **SMALLER.get(method, {})}}
    )
    run = resolve(spec.updated(formulation="head", seed=seed))
    if run.skip_reason():
        return None
    try:
        return adapt(run, load_base(run), total_steps=10)
    except Unsupported:
        return None


def trained_head(model: nn.Module, head_names: tuple[str, ...]) -> dict[str, Tensor]:
    return {
        WRAPPED.sub("", name): parameter.detach()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and is_of_head(name, head_names)
    }


def test_every_architecture_is_here() -> None:
    assert HEADS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", HEADS)
def test_a_method_of_every_family_trains_the_same_head_from_the_same_start(name: str, saved: Saved) -> None:
    found = {}
    for method in REPRESENTATIVES:
        made = adapted(saved(name), method)
        if made is None:
            continue
        assert made.base.head_names == tuple(HEADS[name]), method
        assert measure_params(made.model, made.base.head_names, None)["head"] == sum(HEADS[name].values()), method
        found[method] = trained_head(made.model, made.base.head_names)
    assert len(found) >= 4
    first = found.pop("full")
    assert {key.rpartition(".")[0] for key in first} == HEADS[name].keys()
    for method, head in found.items():
        assert head.keys() == first.keys(), method
        assert all(torch.equal(head[key], first[key]) for key in first), method


@pytest.mark.parametrize("name", ["bert_cls2", "roberta_cls2", "modernbert_body"])
def test_a_head_is_drawn_from_the_seed_and_norms_start_at_one(name: str, saved: Saved) -> None:
    heads = []
    for seed in (0, 0, 1):
        made = adapted(saved(name), "full", seed)
        assert made is not None
        heads.append(trained_head(made.model, made.base.head_names))
    for key, value in heads[0].items():
        assert torch.equal(value, heads[1][key])
        if key.endswith("bias"):
            assert not value.any()
        elif value.dim() == 1:
            assert bool((value == 1).all()), key
        else:
            assert value.std() == pytest.approx(0.02, rel=0.35), "not the checkpoint's, whose weights are larger"
            assert not torch.equal(value, heads[2][key])


def test_weights_that_are_missing_are_no_head(tmp_path: Path) -> None:
    """A checkpoint without a block, or without the language model's own output, would answer from random weights."""
    from safetensors.torch import load_file, save_file

    folder = save_architecture("llama", tmp_path / "llama")
    tensors = load_file(folder / "model.safetensors")
    headless = {key: value for key, value in tensors.items() if key != "lm_head.weight"}
    save_file(headless, folder / "model.safetensors", {"format": "pt"})
    assert load(BaseSpec(name=str(folder)), Wanted("AutoModelForSequenceClassification", 2)).head_names == ("score",)
    with pytest.raises(SourceError, match="its weights lack what AutoModelForCausalLM needs: lm_head"):
        load(BaseSpec(name=str(folder)), Wanted("AutoModelForCausalLM"))
    torso = {key: value for key, value in headless.items() if ".layers.1." not in key}
    save_file(torso, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match=r"model\.layers\.1\..* in all"):
        load(BaseSpec(name=str(folder)), Wanted("AutoModelForSequenceClassification", 2))
