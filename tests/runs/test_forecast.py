"""The memory forecast against what runs took."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.spec import merge
from harness.runs.forecast import forecast
from harness.runs.resolve import resolve
from tests.conftest import MakeSpec

REAL: dict[str, dict[str, Any]] = {
    "lora": {"method": {"name": "lora"}},
    "full": {"method": {"name": "full"}},
    "lora on 4bit": {"method": {"name": "lora"}, "base": {"quantization": "4bit"}},
}
SIZES = {
    "base": {"max_length": 128},
    "task": {"name": "boolq", "train_limit": 128, "validation_limit": 8, "test_limit": 8},
    "training": {"max_steps": 4, "precision": "fp32"},
}
SPEC = "import sys, json; from harness.core.spec import parse_spec; spec = parse_spec(json.loads(sys.argv[1])); "
PREDICT = (
    SPEC + "from harness.runs.forecast import forecast; from harness.runs.resolve import resolve; "
    "print(forecast(resolve(spec)).total)"
)
MEASURE = (
    SPEC + "from pathlib import Path; from harness.runs.run import run; "
    "print(run(spec, Path(sys.argv[2])).cost.peak_memory_bytes.train)"
)


def test_grows_with_the_batch_and_with_what_is_trained(make_spec: MakeSpec) -> None:
    small, large = (forecast(resolve(make_spec("lora", training={"batch_size": n, "epochs": 1}))) for n in (2, 16))
    assert small
    assert large
    assert (small.n_rows, large.n_rows) == (2, 16)
    assert small.n_steps > 7 * large.n_steps
    full = forecast(resolve(make_spec("full", training={"batch_size": 2, "epochs": 1})))
    assert full
    assert full.trained > small.trained > 0
    assert full.total == full.fixed + full.batch + full.trained


@pytest.mark.parametrize("recipe", ["class_weights", "dp_sgd", "noisy_labels"])
def test_recipes_that_learn_from_an_epoch_what_they_need_can_be_forecast(recipe: str, make_spec: MakeSpec) -> None:
    """None has begun when the memory of a step is asked."""
    found = forecast(resolve(make_spec("lora", recipes=[{"name": recipe}])))
    assert found
    assert found.trained > 0


def test_nothing_to_forecast_without_training(make_spec: MakeSpec) -> None:
    assert forecast(resolve(make_spec("zero_shot", "decoder"))) is None


def test_dry_run_prints_it_and_runs_nothing(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("lora")
    command = [sys.executable, "-m", "harness", "run", "--method", "lora", "--task", "sst2", "--base", spec.base.name]
    command += ["--set", f"task.path={spec.task.path}", "--dry-run", "--results", str(tmp_path / "results")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "steps; largest pass" in printed
    assert "memory at the peak of training" in printed
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_within_15_percent_of_the_measured_peak(name: str, tmp_path: Path) -> None:
    """On the real base, in processes of their own: resident memory is that of a whole process."""
    spec = json.dumps(merge(SIZES, REAL[name]))
    predicted, measured = (
        int(subprocess.run([sys.executable, "-c", code, spec, str(tmp_path)], stdout=-1, check=True).stdout)
        for code in (PREDICT, MEASURE)
    )
    assert predicted == pytest.approx(measured, rel=0.15)
