"""Two processes that a launcher starts train the run of one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import SpecError
from harness.core.launch import check_launch
from harness.runs.run import run
from harness.storage.record import Record
from harness.storage.store import Store
from tests.conftest import MakeSpec

STEPS = 20
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]


def launched(results: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`run` by torchrun, on two processes of one thread each."""
    own = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return subprocess.run(
        [*LAUNCH, str(port), "-m", "harness", *arguments, "--results", str(results)],
        env=own | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("port", "method"), [(29511, "lora"), (29512, "full"), (29513, "prefix"), (29514, "adalora")])
def test_the_losses_of_two_processes_are_those_of_one(
    port: int, method: str, make_spec: MakeSpec, tmp_path: Path
) -> None:
    training = {"epochs": STEPS, "max_steps": STEPS, "eval_every": 1, "learning_rate": 1e-3}
    off: dict[str, Any] = {"dropout": 0.0} if method in ("lora", "adalora") else {}
    spec = make_spec(method, training=training, base={"dropout": 0.0}, method={"name": method, **off})
    alone = run(spec, tmp_path / "one")
    settings = [f"training.{name}={value}" for name, value in training.items()]
    settings += ["base.dropout=0.0", "training.batch_size=16", "training.precision=fp32"]
    settings += [f"task.path={spec.task.path}", *(f"method.{name}={value}" for name, value in off.items())]
    flags = [part for setting in settings for part in ("--set", setting)]
    done = launched(
        tmp_path / "two", port, "run", "--method", method, "--task", "sst2", "--base", spec.base.name, *flags
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (both,) = Store(tmp_path / "two").records()
    assert both.run_id == alone.run_id
    assert both.environment["processes"] == 2
    assert done.stdout.count(": ok") == 1
    check_close(alone, both)


def check_close(alone: Record, both: Record) -> None:
    """Loss and metrics after every step, what was counted, and predictions."""
    assert alone.status == both.status == "ok", (alone.reason, both.reason)
    assert len(alone.curve) == len(both.curve) == STEPS
    for one, two in zip(alone.curve, both.curve, strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], abs=1e-4)
    assert both.cost.train_tokens == alone.cost.train_tokens
    assert both.metrics == pytest.approx(alone.metrics, abs=0.05)


@pytest.mark.parametrize(
    ("variables", "command", "message"),
    [
        ({"WORLD_SIZE": "2", "RANK": "0"}, "suite", "suite is one process"),
        ({"WORLD_SIZE": "2"}, "run", "without a RANK"),
        ({"WORLD_SIZE": "two", "RANK": "0"}, "run", "are no number of processes"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "run", "no place among them"),
        ({"ACCELERATE_USE_FSDP": "true"}, "run", "FSDP is not supported"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "run", "training.precision"),
    ],
)
def test_what_would_not_happen_is_refused(
    variables: dict[str, str], command: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=message):
        check_launch(command)


def test_a_recipe_that_needs_all_examples_is_refused(make_spec: MakeSpec) -> None:
    from harness.runs.resolve import resolve
    from harness.runs.shareable import check_shareable

    private = resolve(make_spec("lora", recipes=[{"name": "dp_sgd", "delta": 1e-3}]))
    with pytest.raises(SpecError, match="dp_sgd needs all examples"):
        check_shareable(private, 2, is_watched=False, is_kept=False)
    plain = resolve(make_spec("lora"))
    with pytest.raises(SpecError, match="keeps the state of one process"):
        check_shareable(plain, 2, is_watched=False, is_kept=True)
    with pytest.raises(SpecError, match="start at most 16"):
        check_shareable(plain, 17, is_watched=False, is_kept=False)
    check_shareable(plain, 2, is_watched=False, is_kept=False)
