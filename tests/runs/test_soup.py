"""Soups: what is mixed from real runs, what is kept, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.libraries.peft import merge_updates
from harness.probe import find_quantities
from harness.runs.export import predict_texts
from harness.runs.run import run
from harness.storage.record import Record
from harness.storage.store import Store
from harness.testing.snapshots import tiny_spec


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of LoRA, and two of full fine-tuning."""
    folder = tmp_path_factory.mktemp("soup")
    for method, seeds in (("lora", 3), ("full", 2)):
        spec = tiny_spec(folder, method={"name": method}).updated(training={"learning_rate": 1e-3})
        for seed in range(seeds):
            assert run(spec.model_copy(update={"seed": seed}), folder / "results").status == "ok"
    return folder / "results"


def invoke(results: Path, *words: str) -> None:
    CliRunner().invoke(app, [*words, "--results", str(results)], catch_exceptions=False)


def make(results: Path, *words: str) -> Record:
    """The soup that the command makes."""
    before = {record.run_id for record in Store(results).records()}
    invoke(results, "soup", *words)
    (made,) = [record for record in Store(results).records() if record.run_id not in before]
    return made


def tensors(results: Path, run_id: str) -> dict[str, Tensor]:
    (path,) = (results / "runs" / run_id / "adapter").glob("*.safetensors")
    return load_file(path)


def members(results: Path, method: str) -> list[Record]:
    found = (record for record in Store(results).records() if record.spec.method.name == method)
    return sorted(found, key=lambda record: record.spec.seed)


def test_a_uniform_soup_is_the_mean_of_what_is_stored(results: Path) -> None:
    made = make(results, "--where", "method=lora")
    runs = members(results, "lora")
    assert made.members == [one.run_id for one in runs]
    stored = [tensors(results, one.run_id) for one in runs]
    for name, mixed in tensors(results, made.run_id).items():
        torch.testing.assert_close(mixed, torch.stack([one[name] for one in stored]).mean(0))
    size, seconds = find_quantities(["stored_bytes", "train_seconds"])
    assert size.of(made) == size.of(runs[0])
    assert seconds.of(made) == pytest.approx(sum(seconds.of(one) or 0 for one in runs))
    assert made.metrics.keys() == runs[0].metrics.keys()
    rows = pq.read_table(results / "runs" / made.run_id / "predictions.parquet").to_pylist()
    right = [row["prediction"] == row["target"] for row in rows if row["split"] == "test"]
    assert made.metrics["test/accuracy"] == pytest.approx(np.mean(right))
    assert predict_texts(made.run_id, ["a good film"], results)[0]["prediction"]


def test_a_greedy_soup_is_as_good_on_validation_as_its_best_member(results: Path) -> None:
    made = make(results, "--mix", "greedy", "--where", "method=lora")
    best = max(one.metric("validation") or 0 for one in members(results, "lora"))
    assert (made.metric("validation") or 0) >= best
    assert 1 <= len(made.members) <= 3


@pytest.mark.parametrize("mix", ["ties", "dare"])
def test_of_full_fine_tuning_the_updates_are_mixed(mix: str, results: Path) -> None:
    """Not the weights themselves, of which four fifths or more would be gone: they stay near those of the members."""
    made = make(results, "--mix", mix, "--size", "2", "--where", "method=full")
    mixed, stored = tensors(results, made.run_id), [tensors(results, one.run_id) for one in members(results, "full")]
    name = next(name for name in mixed if name.endswith("layer.0.attention.self.query.weight"))
    assert (stored[0][name] - stored[1][name]).norm() > 0
    assert 0 < (mixed[name] - stored[0][name]).norm() < 0.5 * stored[0][name].norm()


def test_ties_is_the_papers() -> None:
    """Trimmed to the largest 20 %, the sign of the larger total elected, the mean of those that agree with it."""
    torch.manual_seed(0)
    updates = [torch.randn(40) for _ in range(3)]
    trimmed = [one * (one.abs() >= one.abs().sort(descending=True).values[7]) for one in updates]
    expected = torch.zeros(40)
    for place in range(40):
        values = [one[place].item() for one in trimmed]
        agreeing = [value for value in values if value and np.sign(value) == np.sign(sum(values))]
        expected[place] = float(np.mean(agreeing)) if agreeing else 0.0
    torch.testing.assert_close(merge_updates(updates, "ties"), expected)


def test_dare_keeps_a_tenth_and_the_mean() -> None:
    torch.manual_seed(0)
    mixed = merge_updates([torch.ones(100_000), 3 * torch.ones(100_000)], "dare")
    assert sorted({round(value, 3) for value in mixed.unique().tolist()}) == [0.0, 5.0, 15.0, 20.0]
    assert mixed.mean().item() == pytest.approx(2.0, abs=0.1)


def test_what_cannot_be_mixed_is_told(results: Path) -> None:
    invoke(results, "ensemble", "--size", "3", "--where", "method=lora")
    ensemble = next(record for record in Store(results).records() if record.spec.method.name.startswith("ensemble"))
    with pytest.raises(SpecError, match="is an ensemble: it has its members' answers, and no weights of its own"):
        predict_texts(ensemble.run_id, ["a good film"], results)
    with pytest.raises(SpecError, match="no cell has 9 finished seeds"):
        invoke(results, "soup", "--size", "9")


def test_frozen_parameters_that_a_seed_draws_are_refused(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path, method={"name": "vera"}).updated(training={"max_steps": 1})
    for seed in (0, 1):
        assert run(spec.model_copy(update={"seed": seed}), tmp_path / "results").status == "ok"
    with pytest.raises(SpecError, match="their weights can't be mixed; harness ensemble combines their answers"):
        invoke(tmp_path / "results", "soup", "--size", "2")
