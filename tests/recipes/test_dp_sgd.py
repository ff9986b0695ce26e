"""Differential privacy: gradients of single examples, what becomes of them, and the epsilon of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor, nn

from harness.core.errors import Unsupported
from harness.formulation import Row
from harness.libraries import opacus
from harness.method import make_method
from harness.probe import find_quantities
from harness.recipe import RECIPES, Recipe, Training
from harness.recipes.dp_sgd import _by_example
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.task import Example
from harness.testing.snapshots import tiny_spec
from harness.training.fit import fit
from harness.training.hooks import Trainee
from tests.conftest import MakeSpec
from tests.ready import ready

TEXTS = ("good film", "bad", "a good play " * 3, "the bad film " * 2)
TRAIN = [Example(str(n), {"sentence": TEXTS[n % 4]}, int(n % 3 == 0)) for n in range(24)]


def make(**settings: Any) -> Any:
    return RECIPES.make("dp_sgd", settings)


def trained(make_spec: MakeSpec, method: str, kind: str, *recipes: Recipe) -> tuple[list[float], Tensor]:
    """Losses of four steps of eight examples, the third ending an epoch; those of examples at the end.

    In double precision: AdamW turns what rounding makes of a gradient near zero into a step of full length.
    """
    spec = make_spec(method, kind).updated(training={"batch_size": 8}, speed={"fused_layers": False})
    adapted = ready(spec, steps=4)
    torch.manual_seed(0)
    model, formulation, seen = adapted.model.double(), adapted.formulation, list[float]()
    rows = formulation.encode_training(TRAIN)
    trainee = Trainee(model, make_method(spec.method), formulation, recipes)
    fit(trainee, rows, 4, lambda model: {"validation/accuracy": 0.0}, lambda step, tokens, loss: seen.append(loss))
    with torch.no_grad():
        return seen, formulation.losses(model.eval(), formulation.collate(rows, torch.device("cpu")))


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_without_noise_and_cutting_nothing_changes(make_spec: MakeSpec, method: str, kind: str) -> None:
    losses, at_end = trained(make_spec, method, kind)
    private, its_end = trained(make_spec, method, kind, make(noise=0, max_norm=1e9, sampling="shuffled", delta=0.01))
    assert private == pytest.approx(losses, abs=1e-5)
    assert max(losses) - min(losses) > 1e-3
    torch.testing.assert_close(its_end, at_end, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("method", "kind"), [("lora", "encoder"), ("full", "encoder"), ("lora", "decoder")])
def test_gradients_are_cut_one_by_one(make_spec: MakeSpec, method: str, kind: str) -> None:
    """Against a backward pass for each example alone."""
    adapted = ready(make_spec(method, kind).updated(speed={"fused_layers": False}))
    model, formulation = adapted.model.eval(), adapted.formulation
    rows = formulation.encode_training(TRAIN[:6])
    training = Training(model.train(), n_steps=1, seed=0)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    cut: list[Tensor] = []
    norms = []
    for row in rows:
        model.zero_grad()
        formulation.losses(model, formulation.collate([row], torch.device("cpu"))).sum().backward()
        single = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in training.trained])
        norms.append(single.norm().item())
        cut.append(single)
    limit = float(np.median(norms))
    expected = sum(single * min(1.0, limit / norm) for single, norm in zip(cut, norms, strict=True)) / len(rows)
    model.zero_grad()
    recipe = make(noise=0, max_norm=limit, sampling="shuffled", delta=0.1)
    recipe.begin(training)
    recipe.draw(training, rows, range(6), np.random.default_rng(0))

    def accumulate() -> float:
        for part in (rows[:4], rows[4:]):  # two passes of one step
            batch = formulation.collate(part, torch.device("cpu"))
            (recipe.losses(training, batch, lambda given: formulation.losses(model, given)).sum() / 6).backward()
        return 0.0

    recipe.backward(training, accumulate)
    found = torch.cat([p.grad.flatten() for p in training.trained if p.grad is not None])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert not any(hasattr(parameter, "grad_sample") for parameter in model.parameters())


def test_noise_has_its_deviation_also_in_an_empty_step() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(100_000))
    training, recipe = Training(model, n_steps=1, seed=0), make(noise=2.0, max_norm=0.5)
    recipe.begin(training)
    recipe.draw(training, [None] * 1000, range(10), np.random.default_rng(0))
    recipe.backward(training, lambda: 0.0)
    assert model.weight.grad.std().item() == pytest.approx(2.0 * 0.5 / 10, rel=0.02)


def test_poisson_samples_vary_and_hold_each_example_alike() -> None:
    training, recipe = Training(nn.Linear(1, 1), n_steps=1, seed=0), make()
    recipe.begin(training)
    random = np.random.default_rng(0)
    drawn = [recipe.draw(training, [None] * 100, range(8), random) for _ in range(2000)]
    sizes = [len(places) for places in drawn]
    assert np.mean(sizes) == pytest.approx(8, abs=0.2)
    assert np.var(sizes) == pytest.approx(100 * 0.08 * 0.92, rel=0.1)
    assert np.ptp(np.bincount(np.concatenate(drawn).astype(int))) < 0.08 * 2000


@pytest.mark.parametrize(
    ("settings", "places", "message"),
    [({"delta": 0.02}, range(4), "must be below 1/50"), ({}, range(60), "a step of 60 examples would take some")],
)
def test_what_would_be_no_privacy_is_refused(settings: dict[str, float], places: range, message: str) -> None:
    training, recipe = Training(nn.Linear(1, 1), n_steps=1, seed=0), make(**settings)
    recipe.begin(training)
    with pytest.raises(Unsupported, match=message):
        recipe.draw(training, [None] * 50, places, np.random.default_rng(0))


def test_a_method_whose_examples_mix_is_skipped_with_the_reason(make_spec: MakeSpec) -> None:
    """AdaLoRA's penalty on its own weights belongs to no example."""
    with pytest.raises(Unsupported, match="dp_sgd"):
        trained(make_spec, "adalora", "encoder", make(delta=0.01))


def test_another_recipe_beside_it_is_a_reason(make_spec: MakeSpec) -> None:
    spec = make_spec("lora").updated(recipes=[{"name": "dp_sgd"}, {"name": "fgm"}])
    assert resolve(spec).skip_reason() == "recipe dp_sgd must be the only one of a run"


@pytest.mark.parametrize(("noise", "share", "steps", "delta"), [(0.8, 0.01, 1000, 1e-5)])
def test_epsilon_is_that_of_another_accountant(noise: float, share: float, steps: int, delta: float) -> None:
    """dp-accounting 0.6.0 gives 3.14 for this."""
    assert opacus.epsilon(noise, share, steps, delta) == pytest.approx(3.14, abs=0.02)


@pytest.mark.parametrize(("noise", "steps", "delta"), [(1.0, 1, 1e-5), (2.0, 3, 1e-5), (5.0, 10, 1e-3)])
def test_epsilon_of_whole_epochs_is_the_gaussian_mechanisms(noise: float, steps: int, delta: float) -> None:
    """In closed form: Balle and Wang 2018, theorem 8, of one step with the noise over the root of the steps."""
    spread = noise / steps**0.5

    def excess(epsilon: float) -> float:
        left, right = 1 / (2 * spread) - epsilon * spread, -1 / (2 * spread) - epsilon * spread
        return float(norm.cdf(left) - np.exp(epsilon) * norm.cdf(right) - delta)

    assert opacus.epsilon(noise, 1.0, steps, delta) == pytest.approx(brentq(excess, 0, 50), abs=0.02)


@pytest.mark.parametrize(
    ("settings", "batch_size", "steps"),
    [
        ({"noise": 1.0}, 8, 6),
        ({"noise": 0.6, "delta": 1e-4}, 16, 3),
        ({"noise": 2.0, "sampling": "shuffled"}, 8, 6),
    ],
)
def test_the_record_and_tables_have_the_accountants_epsilon(
    settings: dict[str, Any], batch_size: int, steps: int, tmp_path: Path
) -> None:
    training = {"batch_size": batch_size, "max_steps": steps}
    lora = tiny_spec(tmp_path, method={"name": "lora"})
    spec = lora.updated(recipes=[{"name": "dp_sgd", **settings}], training=training)
    record = run(spec, tmp_path / "results")
    assert record.status == "ok", record.reason
    from opacus.accountants import PRVAccountant

    n, accountant = record.data.sizes["train"], PRVAccountant()
    per_step = {"noise_multiplier": settings["noise"], "sample_rate": batch_size / n}
    if "sampling" in settings:
        per_step["sample_rate"], steps = 1.0, -(-steps * batch_size // n)
    for _ in range(steps):
        accountant.step(**per_step)
    with np.errstate(all="ignore"):
        expected = accountant.get_epsilon(settings.get("delta", 1e-5))
    (quantity,) = find_quantities(["epsilon"])
    assert quantity.of(record) == pytest.approx(expected, rel=1e-6)
    assert record.environment["speed_off"] == ["speed.fused_layers"]


def test_other_runs_have_no_epsilon(tmp_path: Path) -> None:
    (quantity,) = find_quantities(["epsilon"])
    assert quantity.of(run(tiny_spec(tmp_path), tmp_path / "results")) is None


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_its_clipping_is_that_of_opacus() -> None:
    """One step of opacus' own optimizer and module on the same gradients, without noise."""
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer

    torch.manual_seed(0)
    inputs, targets = torch.randn(5, 4), torch.randint(0, 3, (5,))
    model = nn.Linear(4, 3)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    theirs = GradSampleModule(model, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(theirs.parameters(), lr=1.0), noise_multiplier=0.0, max_grad_norm=0.7, expected_batch_size=5
    )
    nn.functional.cross_entropy(theirs(inputs), targets, reduction="sum").backward()
    optimizer.step()
    expected = {name: start[name] - value for name, value in model.state_dict().items()}
    model.load_state_dict(start)
    theirs.to_standard_module().zero_grad()
    training, recipe = Training(model, n_steps=1, seed=0), make(noise=0, max_norm=0.7, sampling="shuffled", delta=0.1)
    recipe.begin(training)
    rows = [Row(Example(str(n), {}, 0), ([0],)) for n in range(5)]
    recipe.draw(training, rows, range(5), np.random.default_rng(0))

    class Batch:
        pass

    batch: Any = Batch()
    batch.rows = rows

    def accumulate() -> float:
        def task(_batch: Any) -> Tensor:
            return nn.functional.cross_entropy(model(inputs), targets, reduction="none")

        recipe.losses(training, batch, task).mean().backward()
        return 0.0

    recipe.backward(training, accumulate)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])


def test_the_choices_of_a_question_are_one_example() -> None:
    parameter: Any = nn.Parameter(torch.zeros(2))
    parameter.grad_sample = torch.arange(10.0).reshape(5, 2)
    found = _by_example("weight", parameter, [2, 3])
    torch.testing.assert_close(found, torch.tensor([[2.0, 4.0], [18.0, 21.0]]))
    with pytest.raises(Unsupported, match="apart in weight"):
        _by_example("weight", parameter, [2, 2])
