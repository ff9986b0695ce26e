"""The loop's own promises, on tiny models."""

import math
from pathlib import Path

import pytest
import torch

from harness.run import run
from harness.training.fit import Diverged, LossWatch
from tests.conftest import MakeSpec


def test_accumulated_batches_take_the_same_steps(make_spec: MakeSpec, tmp_path: Path) -> None:
    """As many steps as with batches of twice the size; the last one is filled up from the next epoch."""
    whole = run(make_spec("full", training={"batch_size": 16, "epochs": 1}), tmp_path)
    parts = run(make_spec("full", training={"batch_size": 8, "accumulation_steps": 2, "epochs": 1}), tmp_path)
    assert whole.curve[-1]["step"] == parts.curve[-1]["step"]
    assert whole.cost.train_tokens <= parts.cost.train_tokens < 1.2 * whole.cost.train_tokens


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_gradient_checkpointing_changes_nothing(kind: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    plain = run(make_spec("lora", kind), tmp_path)
    checkpointed = run(make_spec("lora", kind, training={"gradient_checkpointing": True}), tmp_path)
    assert checkpointed.status == "ok", checkpointed.reason
    losses = [[point["train_loss"] for point in record.curve] for record in (plain, checkpointed)]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_schedules(schedule: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    assert run(make_spec(training={"schedule": schedule, "max_steps": 3}), tmp_path).status == "ok"


def test_bf16(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec(training={"precision": "bf16"}), tmp_path)
    assert record.status == "ok", record.reason
    assert record.environment["precision"] == "bf16"


def test_adalora_penalty_is_logged_apart(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(make_spec("adalora"), tmp_path)
    assert all(point["extra_loss"] > 0 for point in record.curve)
    assert "extra_loss" not in run(make_spec("lora"), tmp_path).curve[0]
    assert record.params.trainable_final < record.params.trainable


def test_loss_watch() -> None:
    watch = LossWatch()
    for step in range(1, 100):
        watch.see(0.7 + 2 * (step % 2), step)
    with pytest.raises(Diverged, match="nan"):
        watch.see(math.nan, 100)
    for step in range(100, 104):
        watch.see(50.0, step)
    with pytest.raises(Diverged, match="grew from"):
        watch.see(500.0, 104)
