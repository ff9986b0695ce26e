"""Recipes in the loop: what acts on what, in which order, and that nothing else changes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.spec import SpeedSpec
from harness.method import make_method
from harness.recipe import RECIPES, Example, Losses, Recipe, Training
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.training.fit import Fitted, fit, snapshot
from harness.training.hooks import Hooks, Trainee
from tests.conftest import MakeSpec
from tests.ready import ready

TRAINED = {"epochs": 2, "batch_size": 16}


class Idle(Recipe):
    """Does nothing, through every hook."""

    source: ClassVar[str] = "nobody"


class Fewer(Recipe):
    source: ClassVar[str] = "nobody"

    def examples(self, train: Sequence[Example], epoch: int, random: np.random.Generator) -> Sequence[Example]:
        return train[1:]


class Zeros(Recipe):
    """Judges a model whose weights are zero."""

    source: ClassVar[str] = "nobody"

    @contextmanager
    def weights(self, training: Training) -> Iterator[None]:
        before = [parameter.detach().clone() for parameter in training.trained]
        for parameter in training.trained:
            parameter.data.zero_()
        yield
        for parameter, value in zip(training.trained, before, strict=True):
            parameter.data.copy_(value)


def fitted(make_spec: MakeSpec, *recipes: Recipe, judge: Any = None) -> tuple[Fitted, dict[str, Tensor]]:
    """What four steps of a tiny LoRA leave, and its trained weights."""
    spec = make_spec("lora")
    adapted = ready(spec, steps=4)
    formulation = adapted.formulation
    examples = [Example(str(n), {"sentence": "good film" if n % 2 else "bad play"}, n % 2) for n in range(32)]
    torch.manual_seed(0)
    trainee = Trainee(adapted.model, make_method(spec.method), formulation, recipes)
    judge = judge or (lambda model: {"validation/accuracy": 0.0})
    left = fit(trainee, formulation.encode_training(examples), 4, judge)
    return left, snapshot(adapted.model)


def test_without_an_effect_nothing_changes(make_spec: MakeSpec) -> None:
    plain, weights = fitted(make_spec)
    idle, same = fitted(make_spec, Idle(), Idle())
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert [point["train_loss"] for point in plain.curve] == [point["train_loss"] for point in idle.curve]
    assert plain.train_tokens == idle.train_tokens


def test_the_weights_that_are_judged_are_kept(make_spec: MakeSpec) -> None:
    judged: list[float] = []

    def judge(model: nn.Module) -> dict[str, float]:
        judged.append(sum(float(p.detach().abs().sum()) for p in model.parameters() if p.requires_grad))
        return {"validation/accuracy": 0.0}

    left, last = fitted(make_spec, Zeros(), judge=judge)
    assert judged == [0.0, 0.0]
    for tensors in (left.best, last):
        assert not any(tensor.any() for tensor in tensors.values())


def test_as_many_examples_as_there_are(make_spec: MakeSpec) -> None:
    with pytest.raises(HarnessError, match="made 31 of 32 training examples"):
        fitted(make_spec, Fewer())


def test_the_first_recipe_is_outermost() -> None:
    class Adds(Recipe):
        source: ClassVar[str] = "nobody"
        n: float = 1.0

        def losses(self, training: Training, batch: Any, inner: Losses) -> Tensor:
            return inner(batch) + self.n

    class Doubles(Recipe):
        source: ClassVar[str] = "nobody"

        def losses(self, training: Training, batch: Any, inner: Losses) -> Tensor:
            return 2 * inner(batch)

    training, method = Training(nn.Linear(1, 1), n_steps=1, seed=0), make_method(resolve_method("full"))
    outer = Hooks(method, (Adds(), Doubles()), training).losses(lambda batch: batch)
    inner = Hooks(method, (Doubles(), Adds()), training).losses(lambda batch: batch)
    assert (outer(torch.tensor(3.0)), inner(torch.tensor(3.0))) == (7.0, 8.0)


def resolve_method(name: str) -> Any:
    from harness.core.spec import MethodSpec

    return MethodSpec(name=name)


def asked(make_spec: MakeSpec, *names: str, method: str = "lora", kind: str = "encoder", **sections: Any) -> Any:
    return make_spec(method, kind, recipes=[{"name": name} for name in names], **sections)


@pytest.mark.parametrize("method", ["full", "adalora", "prefix"])
def test_recipes_together(method: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    names = ("ema", "sam", "fgm", "label_smoothing", "layerwise_decay", "word_dropout")
    record = run(asked(make_spec, *names, method=method, training={"epochs": 1}), tmp_path)
    assert record.status == "ok", record.reason
    logged = {name for name in record.curve[-1] if name.partition("/")[0] in names}
    assert logged == {"sam/nearby_loss", "fgm/adversarial_loss", "label_smoothing/uniform_loss"}
    assert record.spec.recipe == "+".join(names)
    assert record.environment["speed_off"] == ["training.cache_trunk"]


@pytest.mark.parametrize("names", [("r_drop", "fgm"), ("vat", "pgd", "mixup"), ("token_cutoff", "masked_lm", "mixout")])
def test_recipes_that_pass_a_batch_again_inside_each_other(
    names: tuple[str, ...], make_spec: MakeSpec, tmp_path: Path
) -> None:
    record = run(asked(make_spec, *names, method="full", training={"max_steps": 2}), tmp_path)
    assert record.status == "ok", record.reason
    assert all(np.isfinite(list(record.curve[-1].values())))


def test_an_outer_recipe_compares_what_the_plain_passes_answer(make_spec: MakeSpec) -> None:
    """Not what an inner one moved: without dropout two plain passes are the same, so r_drop adds nothing to fgm's."""
    adapted = ready(make_spec("full", base={"dropout": 0.0}, recipes=[{"name": "fgm"}]))
    formulation, model = adapted.formulation, adapted.model.train()
    rows = formulation.encode_training([Example(str(n), {"sentence": "good film"}, n) for n in range(2)])
    batch, training = formulation.collate(rows, torch.device("cpu")), Training(model, n_steps=1, seed=0)
    hooks = Hooks(make_method(resolve_method("full")), (RECIPES.make("r_drop"), RECIPES.make("fgm")), training)
    hooks.losses(lambda given: formulation.losses(model, given))(batch)
    assert training.take_logged()["r_drop/divergence"] == pytest.approx(0.0, abs=1e-9)


def test_settings_recipes_and_switches_make_other_runs(make_spec: MakeSpec) -> None:
    specs = [
        make_spec(),
        asked(make_spec, "fgm"),
        make_spec(recipes=[{"name": "fgm", "epsilon": 1.0}]),
        asked(make_spec, "fgm", "ema"),
        asked(make_spec, "ema", "fgm"),
        *(make_spec(speed={name: False}) for name in SpeedSpec.model_fields),
    ]
    ids = [identify(resolve(spec)) for spec in specs]
    assert len(set(ids)) == len(ids)
    assert identify(resolve(make_spec(recipes=[{"name": "fgm", "epsilon": 5}]))) == ids[1]
    assert identify(resolve(make_spec(speed={"first_token": True}))) == ids[0]


def test_a_method_that_trains_nothing_has_no_recipe(make_spec: MakeSpec) -> None:
    spec = asked(make_spec, "fgm", method="zero_shot", kind="decoder")
    assert resolve(spec).spec.recipes == ()
