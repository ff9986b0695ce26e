"""The attacks on membership against scikit-learn, and on models that remember all or nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from harness.cells.membership import attack, ratios
from harness.cli.app import app
from harness.core.errors import SpecError
from harness.metrics.nll import Nll
from harness.probes._losses import losses
from harness.probes.membership import auc
from harness.runs.run import run
from harness.storage.measured import MEASURED, read_examples
from tests.conftest import MakeSpec
from tests.probes.conftest import examined, measured


def test_it_is_scikit_learns_area_with_ties() -> None:
    rng = np.random.default_rng(0)
    others, members = rng.normal(0.5, 1, 80).round(1), rng.normal(0, 1, 60).round(1)
    expected = roc_auc_score([1] * 80 + [0] * 60, np.concatenate([others, members]))
    assert auc(others, members).value == pytest.approx(expected)


def test_its_interval_holds_the_truth() -> None:
    """Two normals a standard deviation apart have an area of Phi(1 / sqrt 2)."""
    rng, truth = np.random.default_rng(1), norm.cdf(1 / 2**0.5)
    found = [auc(rng.normal(1, 1, 60), rng.normal(0, 1, 80)).interval for _ in range(400)]
    assert np.mean([ends is not None and ends[0] <= truth <= ends[1] for ends in found]) == pytest.approx(
        0.95, abs=0.03
    )


def test_what_was_never_trained_remembers_nothing(make_spec: MakeSpec) -> None:
    found = measured(examined(make_spec("last_layers")), "membership")["membership_auc"]
    assert found.interval[0] < 0.5 < found.interval[1]


def test_losses_are_those_of_the_answers(make_spec: MakeSpec) -> None:
    """Of labels; and the head's training loss is the same number."""
    subject = examined(make_spec("last_layers", training={"precision": "fp32"}))
    examples = subject.splits["test"][:10]
    found = losses(subject, examples)
    assert found == pytest.approx(Nll().per_example(subject.answer(examples)))
    rows = subject.formulation.encode_training(examples)
    batch = subject.formulation.collate(rows, "cpu")  # type: ignore[arg-type]
    assert found == pytest.approx(subject.formulation.losses(subject.model, batch).tolist(), rel=1e-3)


def drawn(shift: float, n_runs: int, n_examples: int, seed: int) -> tuple[Any, Any, Any]:
    """Losses whose logits are normal about each example's own, higher by ``shift`` where it was learned."""
    rng = np.random.default_rng(seed)
    trained = rng.random((n_runs, n_examples)) < 0.5
    hardness = rng.normal(0, 3, n_examples)
    phi = hardness + rng.normal(size=(n_runs, n_examples)) + shift * trained
    names = [str(place) for place in range(n_examples)]
    losses = np.log1p(np.exp(-phi))
    by_id = [
        [dict(zip(names, row.tolist(), strict=True)) for row in table] for table in (losses, trained.astype(float))
    ]
    return losses, trained, by_id


def test_ratios_by_hand() -> None:
    """Logits 2, 0 and 1 of one example that the first run learned: it is judged by both others, they by each other."""
    losses = np.log1p(np.exp(-np.array([[2.0], [0.0], [1.0]])))
    found = ratios(losses, np.array([[True], [False], [False]]))
    assert found.ravel() == pytest.approx([(2 - 0.5) * (2 / 3) ** 0.5, -1 * 0.5**0.5, 1 * 0.5**0.5])
    assert np.isnan(ratios(losses, np.array([[True], [True], [False]]))[2, 0])


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_shadows_find_what_normal_losses_allow(shift: float) -> None:
    """An area of Phi(shift / sqrt(2 (1 + 1 / k))), k being about half of the runs; the loss alone finds far less."""
    _, _, (losses, trained) = drawn(shift, 16, 1500, 0)
    found = attack(losses, trained)
    assert found.auc.mean == pytest.approx(norm.cdf(shift / (2 * (1 + 1 / 8)) ** 0.5), abs=0.012)
    assert found.loss_auc.mean == pytest.approx(norm.cdf(shift / (2 * (1 + 9)) ** 0.5), abs=0.02)
    tail = norm.sf(norm.isf(0.01) - shift / (1 + 1 / 8) ** 0.5)
    assert found.true_positives.mean == pytest.approx(tail, abs=0.02)


def test_the_interval_over_runs_holds_one_half_where_nothing_is_remembered() -> None:
    found = [attack(*drawn(0.0, 6, 200, seed)[2]).auc for seed in range(1000, 1400)]
    held = [abs(one.mean - 0.5) <= (one.half_width or 0) for one in found]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_without_another_run_there_are_no_shadows() -> None:
    _, _, (losses, trained) = drawn(1.0, 3, 20, 0)
    with pytest.raises(SpecError, match="two runs"):
        attack(losses[:1], trained[:1])
    with pytest.raises(SpecError, match=r"task\.train_limit"):
        attack(losses, [dict.fromkeys(run, 1.0) for run in trained])


def test_stored_losses_are_attacked_from_the_command_line(make_spec: MakeSpec, tmp_path: Path) -> None:
    """The pool is the same for both seeds, what was learned of it is not, and its losses are the model's."""
    records = []
    for seed in (0, 1):
        spec = make_spec(
            "last_layers", seed=seed, task={"train_limit": 40}, probes=[{"name": "membership", "pool": 60}]
        )
        records.append(run(spec, tmp_path))
    files = [tmp_path / "runs" / record.run_id / MEASURED for record in records]
    losses, trained = (
        [read_examples(file, name) for file in files] for name in ("pool_loss_nats", "pool_trained_ratio")
    )
    assert losses[0].keys() == losses[1].keys()
    assert len(losses[0]) == 60
    assert trained[0] != trained[1]
    assert all(0 < sum(run.values()) < 60 for run in trained)
    done = CliRunner().invoke(app, ["membership", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.exception
    assert f"{attack(losses, trained).auc.mean:.3f}" in done.stdout


def test_runs_without_a_pool_are_told_how(make_spec: MakeSpec, tmp_path: Path) -> None:
    run(make_spec("last_layers"), tmp_path)
    done = CliRunner().invoke(app, ["membership", "--results", str(tmp_path)])
    assert isinstance(done.exception, SpecError)
    assert "probe.membership.pool" in str(done.exception)
