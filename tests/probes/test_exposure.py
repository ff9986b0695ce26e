"""Exposure of canaries: ranks by hand, models that know none or all of them, and what is planted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import Unsupported
from harness.data.canaries import secrets
from harness.probes.exposure import exposure
from harness.recipe import RECIPES
from harness.recipes.canaries import Canaries
from harness.runs.run import run
from harness.storage.measured import MEASURED, read_examples
from harness.storage.predictions import Answers
from harness.task import Example
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured

TRAIN = [Example(str(n), {"a": f"text {n}", "b": "other"}, n % 3) for n in range(90)]
RECIPE: Canaries = RECIPES.make("canaries", {"number": 5, "repeats": 3})  # type: ignore[assignment]


def chance(n: int) -> float:
    """Mean exposure where every rank of n is as likely."""
    return math.log2(n) - math.lgamma(n + 1) / math.log(2) / n


def test_exposure_by_hand() -> None:
    """First of four: 2 bits; last: none; among four equal ones in the middle, rank 2.5."""
    found = exposure(np.array([[0.1, 0.2, 0.3, 0.4], [0.9, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, 0.5]]))
    assert found == pytest.approx([2, 0, math.log2(4 / 2.5)])


def test_the_planted_secret_is_the_same_among_any_number() -> None:
    few, many = secrets(3, 0, 1), secrets(3, 0, 5000)
    assert few[0] == many[0]
    assert len(set(many)) == 5000
    assert secrets(3, 1, 1) != few != secrets(4, 0, 1)
    assert {len(text) for text in many} == {len(few[0])}


def test_canaries_take_the_place_of_others_and_keep_their_number() -> None:
    changed = RECIPE.examples(TRAIN, 1, np.random.default_rng(0))
    assert [one.id for one in changed] == [one.id for one in TRAIN]
    assert changed == RECIPE.examples(TRAIN, 2, np.random.default_rng(9))
    new = [now for now, before in zip(changed, TRAIN, strict=True) if now.fields != before.fields]
    planted = RECIPE.planted(TRAIN, 0)
    assert len(new) == 15
    for canary in planted:
        assert [(one.fields, one.target) for one in new].count((canary.fields, canary.target)) == 3
        assert canary.fields["a"] == canary.fields["b"]
    kept = [now for now, before in zip(changed, TRAIN, strict=True) if now.fields == before.fields]
    assert all(one in TRAIN for one in kept)


def test_more_than_half_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"would be more than half of 29 .*recipe\.canaries\.number"):
        RECIPE.examples(TRAIN[:29], 1, np.random.default_rng(0))


def test_a_model_that_was_not_trained_exposes_nothing(make_spec: MakeSpec) -> None:
    recipes = [{"name": "canaries", "number": 40, "repeats": 1}]
    subject = examined(make_spec("last_layers", recipes=recipes))
    found = measured(subject, "exposure", n_texts=50)["canary_exposure_bits"]
    low, high = found.interval
    assert low - 0.1 < chance(50) < high + 0.1
    assert found.value < 2


def test_a_model_that_knows_them_by_heart_exposes_them(make_spec: MakeSpec) -> None:
    """Answers of a model whose only knowledge is the planted texts: log2(n) bits each."""
    subject = examined(make_spec("last_layers", recipes=[{"name": "canaries", "number": 5, "repeats": 2}]))
    (recipe,) = subject.recipes
    assert isinstance(recipe, Canaries)
    known = {one.fields["sentence"]: one.target for one in recipe.planted(subject.splits["train"], subject.seed)}

    def answer(examples: Sequence[Example]) -> Answers:
        answers = subject.answer(examples)
        scores = np.zeros_like(answers.scores)
        for row, example in zip(scores, examples, strict=True):
            row[example.target] = float(known.get(example.fields["sentence"]) == example.target)
        return replace(answers, scores=scores)

    found = measured(replace(subject, answer=answer), "exposure", n_texts=32)["canary_exposure_bits"]
    assert found.value == 5


def test_training_exposes_more_than_chance(make_spec: MakeSpec, tmp_path: Path) -> None:
    recipes = [{"name": "canaries", "number": 6, "repeats": 4}]
    training = {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3}
    probes = [{"name": "exposure", "n_texts": 32}]
    record = run(make_spec("full", recipes=recipes, training=training, probes=probes), tmp_path)
    by_canary = read_examples(tmp_path / "runs" / record.run_id / MEASURED, "canary_exposure_bits")
    assert len(by_canary) == 6
    assert record.measured["canary_exposure_bits"] == pytest.approx(np.mean(list(by_canary.values())))
    assert record.measured["canary_exposure_bits"] > chance(32)


def test_without_canaries_there_is_nothing_to_expose(make_spec: MakeSpec) -> None:
    with pytest.raises(Unsupported, match="add --recipe canaries"):
        measured(examined(make_spec("last_layers")), "exposure")
