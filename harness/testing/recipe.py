"""What every recipe must keep to, on a tiny encoder with a head and a tiny language model.

class TestMine(RecipeContract):
    plugin = "mine"
"""

import tempfile
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.core.spec import parse_spec
from harness.method import METHODS, BaseKind, Context, Method
from harness.recipe import RECIPES, Recipe
from harness.runs.adapted import adapt, load_base
from harness.runs.pretrained import start
from harness.runs.resolve import Resolved, resolve
from harness.task import Example, Splits
from harness.testing.snapshots import save_snapshot
from harness.training.fit import Fitted, fit, snapshot
from harness.training.hooks import Trainee

N_STEPS = 4
TEXTS = ("the bad play", "a good film")
LABELS = [int(n % 3 > 0) for n in range(16)]
TRAIN = [Example(str(n), {"sentence": " ".join([TEXTS[label]] * (1 + n % 4))}, label) for n, label in enumerate(LABELS)]
"""Of unequal classes and lengths."""


class AllWeights(Method):
    """Train everything."""

    source: ClassVar[str] = "none"
    learning_rate: ClassVar[float] = 1e-3

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """The model as it is."""
        return model.requires_grad_(True)


@dataclass(frozen=True)
class Trained:
    """What training left: the weights in the model at the end, and those that were judged last."""

    fitted: Fitted
    weights: dict[str, Tensor]
    judged: dict[str, Tensor]


def train(run: Resolved, *recipes: Recipe) -> Trained:
    """A few steps of two epochs, from the same weights each time, with nothing cached."""
    with tempfile.TemporaryDirectory() as empty, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE_DIR", empty)
        run, _ = start(replace(run, recipes=recipes), Splits(TRAIN, [], []))
        adapted = adapt(run, load_base(run), N_STEPS)
    judged: dict[str, Tensor] = {}

    def validate(model: nn.Module) -> dict[str, float]:
        judged.update(snapshot(model))
        return {f"validation/{run.task.metrics[0]}": 0.5}

    torch.manual_seed(0)
    trainee = Trainee(adapted.model, run.method, adapted.formulation, recipes, adapted.added)
    fitted = fit(trainee, adapted.formulation.encode_training(TRAIN), N_STEPS, validate)
    return Trained(fitted, snapshot(adapted.model), judged)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether all weights are the same to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class RecipeContract:
    """Inherit it and name your recipe; a kind of base that it skips is skipped here with its reason."""

    plugin: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class", params=("encoder", "decoder"))
    @classmethod
    def cell(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Resolved:
        """A run on a tiny base; its method trains all weights."""
        kind: BaseKind = request.param
        base = save_snapshot(kind, tmp_path_factory.mktemp("bases") / kind)
        training = {"batch_size": 8, "epochs": 2}
        names = {"base": {"name": str(base)}, "task": {"name": "sst2"}, "method": {"name": METHODS.names()[0]}}
        run = replace(resolve(parse_spec(names | {"training": training})), method=AllWeights())
        run = replace(run, recipes=(RECIPES.make(cls.plugin, cls.settings),))
        if reason := run.recipes[0].skip(run.base, run.asked):
            pytest.skip(reason)
        return run

    @pytest.fixture(scope="class")
    @classmethod
    def outcomes(cls, cell: Resolved) -> tuple[Trained, Trained, Trained, Trained]:
        """Without the recipe, with it, with the same instance again, and without it again."""
        recipe = cell.recipes[0]
        return train(cell), train(cell, recipe), train(cell, recipe), train(cell)

    def test_declares_itself(self) -> None:
        """A sentence on what it does, a source with an address, every setting described, defaults that are searched."""
        recipe = RECIPES.make(self.plugin, self.settings)
        assert type(recipe).__doc__
        assert "https://" in recipe.source
        assert recipe.passes >= 1
        assert all(field.description for field in type(recipe).model_fields.values())
        default, space = RECIPES.make(self.plugin), recipe.space()
        assert {name for name, values in space.items() if getattr(default, name) not in values} == set()

    def test_makes_a_difference(self, outcomes: tuple[Trained, ...]) -> None:
        """Else a comparison with plain training would compare nothing."""
        plain, recipe, _, _ = outcomes
        assert not equal(plain.judged, recipe.judged)

    def test_same_seed_same_result(self, outcomes: tuple[Trained, ...]) -> None:
        """Also of an instance that trains a second time."""
        _, first, second, _ = outcomes
        assert equal(first.weights, second.weights)
        assert [point["train_loss"] for point in first.fitted.curve] == [p["train_loss"] for p in second.fitted.curve]

    def test_leaves_nothing_behind(self, outcomes: tuple[Trained, ...]) -> None:
        """A run without it is the same to the last bit after a run with it."""
        before, _, _, after = outcomes
        assert equal(before.weights, after.weights)

    def test_the_weights_that_were_judged_are_kept(self, outcomes: tuple[Trained, ...]) -> None:
        """What is stored and tested is what was validated."""
        assert equal(outcomes[1].weights, outcomes[1].judged)

    def test_logs_under_its_own_name(self, outcomes: tuple[Trained, ...]) -> None:
        """Apart from the task loss."""
        plain, recipe, _, _ = outcomes
        added = recipe.fitted.curve[-1].keys() - plain.fitted.curve[-1].keys()
        assert {name.partition("/")[0] for name in added} <= {self.plugin}
        assert all(np.isfinite(point["train_loss"]) for point in recipe.fitted.curve)

    def test_examples_keep_their_labels(self, cell: Resolved) -> None:
        """As many in the same order, the same for the same random numbers; what is given is left as it was.

        A recipe whose idea it is to change labels changes some.
        """
        recipe, given = cell.recipes[0], list(TRAIN)
        made = [recipe.examples(given, 1, np.random.default_rng(0)) for _ in range(2)]
        assert given == TRAIN
        assert list(made[0]) == list(made[1])
        assert [(e.id, e.choices) for e in made[0]] == [(e.id, e.choices) for e in TRAIN]
        assert ([e.target for e in made[0]] == LABELS) is not recipe.relabels
