"""Recipes of what is learned from: class weights, sampling, the curriculum, wrong labels."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn
from torch.nn.functional import cross_entropy

from harness.formulation import Row
from harness.method import make_method
from harness.recipe import RECIPES, Training
from harness.task import Example
from harness.training.fit import fit
from harness.training.hooks import Trainee
from tests.conftest import MakeSpec
from tests.ready import ready

make = RECIPES.make


def step_of(n_bad: int, n_good: int) -> list[Any]:
    """Rows of 0s and 1s, each as long as its place."""
    labels = [0] * n_bad + [1] * n_good
    return [Row(Example(str(n), {}, label), ([0] * (n + 1),)) for n, label in enumerate(labels)]


def test_class_weights_are_torchs_weighted_cross_entropy(make_spec: MakeSpec) -> None:
    """The effective number of n examples is 1 + β + … + β^(n-1); the weights are their inverses, 1 on average."""
    adapted = ready(make_spec("full"))
    formulation, model = adapted.formulation, adapted.model.eval()
    train = [Example(str(n), {"sentence": "good film"}, int(n > 2)) for n in range(10)]
    batch = formulation.collate(formulation.encode_training(train), torch.device("cpu"))
    recipe, training = make("class_weights", {"beta": 0.9}), Training(model, n_steps=1, seed=0)
    assert recipe.examples(train, 1, np.random.default_rng(0)) is train
    losses = recipe.losses(training, batch, lambda given: formulation.losses(model, given))
    inverses = 1 / torch.tensor([sum(0.9**k for k in range(count)) for count in (3, 7)])
    targets = torch.tensor([example.target for example in train])
    with torch.no_grad():
        logits = model(**batch.inputs).logits
    expected = cross_entropy(logits, targets, weight=2 * inverses / inverses.sum(), reduction="none")
    torch.testing.assert_close(losses, expected)


def test_balanced_sampling_draws_every_label_as_often() -> None:
    rows, training = step_of(n_bad=90, n_good=10), Training(nn.Module(), n_steps=1, seed=0)
    random = np.random.default_rng(0)
    for q, share in ((0.0, 0.5), (1.0, 0.1), (0.5, 10**0.5 / (10**0.5 + 90**0.5))):
        drawn = make("balanced_sampling", {"q": q}).draw(training, rows, range(5000), random)
        assert np.mean([rows[place].example.target for place in drawn]) == pytest.approx(share, abs=0.025)


def test_a_curriculum_begins_with_the_shortest() -> None:
    """At half of its duration the share is √(½ + ½ start²); after it, examples come as they would have."""
    rows, training = step_of(50, 50), Training(nn.Module(), n_steps=100, seed=0)
    recipe, random = make("curriculum", {"start": 0.1, "duration": 0.8}), np.random.default_rng(0)
    longest = {}
    for training.step in (1, 41, 81):
        drawn = [recipe.draw(training, rows, (7, 3), random) for _ in range(200)]
        longest[training.step] = max(place for places in drawn for place in places)
        assert training.step < 81 or set(drawn) == {(7, 3)}
    assert longest == {1: 9, 41: 71, 81: 7}  # √(0.5 · 0.99 + 0.01) = 0.7106 of 100


def test_noisy_labels_are_wrong_at_their_rate_and_stay_so() -> None:
    train = [Example(str(n), {}, n % 4) for n in range(4000)]
    recipe, training = make("noisy_labels", {"rate": 0.3}), Training(nn.Module(), n_steps=1, seed=1)
    recipe.begin(training)
    first, second = (recipe.examples(train, epoch, np.random.default_rng(epoch)) for epoch in (1, 2))
    assert first == second
    wrong = [(old.target, new.target) for old, new in zip(train, first, strict=True) if old.target != new.target]
    assert len(wrong) == pytest.approx(1200, abs=4 * (4000 * 0.3 * 0.7) ** 0.5)
    counts = np.bincount([4 * old + new for old, new in wrong], minlength=16).reshape(4, 4)
    assert counts.diagonal().sum() == 0
    assert chisquare(counts[~np.eye(4, dtype=bool)]).pvalue > 0.01
    question = Example("q", {}, 1, choices=("a", "b"))
    assert {e.target for e in recipe.examples([question] * 50, 1, np.random.default_rng(0))} == {0, 1}


def test_a_step_learns_what_a_recipe_draws(make_spec: MakeSpec) -> None:
    """In the loop: at first only the shortest examples."""
    adapted = ready(make_spec("lora"), steps=2)
    train = [Example(str(n), {"sentence": "good film " * n}, n % 2) for n in range(1, 41)]
    rows = adapted.formulation.encode_training(train)
    seen: list[float] = []
    trainee = Trainee(
        adapted.model, make_method(adapted.formulation.spec.method), adapted.formulation, (make("curriculum"),)
    )
    fit(trainee, rows, 2, lambda model: {"validation/accuracy": 0.0}, lambda step, tokens, loss: seen.append(tokens))
    n = adapted.formulation.spec.training.batch_size
    assert seen[0] == sum(sorted(row.n_tokens for row in rows)[:n])
