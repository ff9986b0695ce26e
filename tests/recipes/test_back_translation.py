"""Back-translation through two tiny encoder-decoders, which translate into nonsense."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.recipe import RECIPES, Example, Training
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.testing.snapshots import WORDS
from tests.conftest import MakeSpec

TRAIN = [
    Example(str(n), {"premise": f"a very good film {n}", "hypothesis": "the plot is dull", "empty": ""}, n % 2)
    for n in range(40)
]


@pytest.fixture
def named(snapshots: dict[str, Path]) -> dict[str, Any]:
    there = str(snapshots["encoder_decoder"])
    return {"there": there, "back": there, "max_new_tokens": 6}


def made(named: dict[str, Any], seed: int = 0, **settings: Any) -> list[Example]:
    recipe = RECIPES.make("back_translation", {**named, **settings})
    recipe.begin(Training(torch.nn.Identity(), n_steps=1, seed=0))
    return list(recipe.examples(TRAIN, 1, np.random.default_rng(seed)))


def test_a_share_is_translated_and_labels_stay(named: dict[str, Any]) -> None:
    """Both texts of a pair, each by itself; an empty one stays."""
    examples = made(named)
    changed = [(a, b) for a, b in zip(examples, TRAIN, strict=True) if a != b]
    assert 10 < len(changed) < 30
    for after, before in changed:
        assert (after.id, after.target) == (before.id, before.target)
        assert set(" ".join(after.fields.values()).split()) <= {*WORDS, *" ".join(before.fields.values()).split()}
        assert after.fields["empty"] == ""
    assert sum(a.fields["premise"] != b.fields["premise"] for a, b in changed) > len(changed) / 2


def test_the_seed_decides(named: dict[str, Any]) -> None:
    """Its own: what else is drawn at random in a run is not shifted."""
    first = made(named)
    torch.manual_seed(7)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    recipe = RECIPES.make("back_translation", named)
    recipe.begin(Training(torch.nn.Identity(), n_steps=1, seed=0))
    assert list(recipe.examples(TRAIN, 1, np.random.default_rng(0))) == first != made(named, seed=1)
    torch.manual_seed(7)
    made(named)
    assert torch.equal(torch.rand(1), drawn)
    assert made(named, rate=0.0) == TRAIN


def test_cold_it_is_transformers_greedy_translation(named: dict[str, Any]) -> None:
    """There and back again with transformers' own greedy decoding, text by text."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(named["there"])
    tokenizer = AutoTokenizer.from_pretrained(named["there"])

    def greedy(text: str) -> str:
        ids = tokenizer("a film " + text, return_tensors="pt", return_token_type_ids=False)
        out = model.generate(**ids, do_sample=False, max_new_tokens=6, pad_token_id=0)
        return tokenizer.decode(out[0], skip_special_tokens=True).strip()

    cold = made(named, rate=1.0, temperature=1e-4, there_prompt="a film ", back_prompt="a film ")
    for example, before in list(zip(cold, TRAIN, strict=True))[:4]:
        for name in ("premise", "hypothesis"):
            text = before.fields[name]
            assert example.fields[name] == (greedy(greedy(text)) or text)


def test_it_must_be_told_what_translates(
    named: dict[str, Any], snapshots: dict[str, Path], make_spec: MakeSpec
) -> None:
    def reason(**settings: Any) -> str | None:
        return resolve(make_spec(recipes=[{"name": "back_translation", **settings}])).skip_reason()

    assert "set its there and back" in (reason() or "")
    assert "is encoder" in (reason(**named | {"back": str(snapshots["encoder"])}) or "")
    assert reason(**named) is None


def test_the_translators_weights_are_part_of_the_run(
    named: dict[str, Any], make_spec: MakeSpec, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(named["there"], tmp_path / "other"))
    cell = make_spec(recipes=[{"name": "back_translation", **named, "there": str(other)}])
    before = identify(resolve(cell))
    weights = load_file(other / "model.safetensors")
    moved = Path(shutil.copytree(other, tmp_path / "moved"))
    save_file({name: tensor + 1 for name, tensor in weights.items()}, moved / "model.safetensors", {"format": "pt"})
    shutil.rmtree(other)
    moved.rename(other)
    assert identify(resolve(cell)) != before


def test_a_run_learns_from_them(named: dict[str, Any], make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(recipes=[{"name": "back_translation", **named}], training={"max_steps": 2})
    record = run(spec, tmp_path)
    assert record.status == "ok", record.reason
    assert record.data.augmented["made"] > 10
