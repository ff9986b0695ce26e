"""The loop's own promises, on tiny models."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness import data
from harness.data.tasks import find_task
from harness.formulation import IGNORED, Row
from harness.method import make_method
from harness.recipe import Training
from harness.runs.run import run
from harness.storage.checkpoint import trainable
from harness.task import Example
from harness.training.batches import passes
from harness.training.fit import Diverged, LossWatch
from harness.training.hooks import Hooks, Trainee
from harness.training.step import Step
from tests.conftest import MakeSpec
from tests.hub_schema import write_mirror
from tests.ready import ready


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


MIRRORED = {
    ("encoder", "rte"): "head",
    ("encoder", "stsb"): "head",
    ("encoder", "commonsense_qa"): "head",
    ("encoder", "wnut17"): "token_head",
    ("encoder", "mrpc"): "similarity",
    ("decoder", "commonsense_qa"): "likelihood",
    ("decoder", "multi30k_en_de"): "generation",
    ("encoder_decoder", "rte"): "likelihood",
    ("encoder_decoder", "wnut17"): "generation",
}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mirror(tmp_path_factory.mktemp("mirror"))


def longer(example: Example, times: int) -> Example:
    """The example with its texts, and its answer where it is text, repeated."""
    fields = {name: " ".join([text] * times) for name, text in example.fields.items()}
    target = example.target
    if isinstance(target, str):
        target = " ".join([target] * times)
    return replace(
        example,
        fields=fields,
        tokens=example.tokens * times,
        target=target * times if isinstance(target, tuple) else target,
    )


@pytest.mark.parametrize(("kind", "name"), MIRRORED)
def test_a_step_is_the_same_however_it_is_cut_into_passes(
    kind: str, name: str, mirror: Path, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples of different sizes in passes of different sizes: the loss and every gradient of the one big pass."""
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))
    formulation = MIRRORED[kind, name]
    spec = make_spec("full", kind, task={"name": name, "path": None}, formulation=formulation)
    adapted, method = ready(spec), make_method(spec.method)
    examples = [longer(e, 1 + n % 3) for n, e in enumerate(data.load(find_task(name), spec.task, 0)[0].train[:7])]
    rows = adapted.formulation.encode_training(examples)
    assert len({row.n_tokens for row in rows}) > 1
    hooks = Hooks(method, (), Training(adapted.model, n_steps=1, seed=0))
    gradients = Step(Trainee(adapted.model, method, adapted.formulation), hooks)  # in evaluation mode: no dropout

    def step(max_padding: float) -> tuple[float, dict[str, torch.Tensor]]:
        adapted.model.zero_grad()
        loss = gradients(
            [adapted.formulation.collate(part, torch.device("cpu")) for part in passes(rows, 16, max_padding)]
        )
        parameters = trainable(adapted.model)
        return loss, {key: value.grad.clone() for key, value in parameters.items() if value.grad is not None}

    assert len(passes(rows, 16, math.inf)) == 1 < len({len(part) for part in passes(rows, 16, 0)})
    whole_loss, whole = step(math.inf)
    loss, parts = step(0)
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert len(whole) > 5
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-6)


def test_a_batch_without_a_word_to_learn_counts_nothing(make_spec: MakeSpec) -> None:
    adapted = ready(make_spec("full", task={"name": "wnut17", "path": None}))
    row = Row(Example("0", {"tokens": ""}, ()), ([2, 3],), targets=(IGNORED, IGNORED))
    batch = adapted.formulation.collate([row], torch.device("cpu"))
    assert adapted.formulation.losses(adapted.model, batch).tolist() == [0]


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
