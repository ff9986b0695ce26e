"""Learning from other tasks, against the same sum of losses by hand, and what it may and may not read."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from harness import data
from harness.core.spec import RunSpec
from harness.data.tasks import find_task
from harness.metrics.nll import Nll
from harness.recipe import RECIPES
from harness.runs.adapted import adapt, load_base
from harness.runs.identity import identify
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.predictions import PREDICTIONS, read_answers
from harness.training.hooks import Trainee
from tests.conftest import MakeSpec

OTHER = f"{Path(__file__).parents[1] / 'probes' / 'general.csv'}?text=text&target=kind"


def made(make_spec: MakeSpec, kind: str = "encoder", **settings: Any) -> RunSpec:
    recipe = {"name": "multi_task", "others": [OTHER], **settings}
    return make_spec("full", kind, recipes=[recipe], training={"epochs": 1, "batch_size": 8})


def trainee_of(spec: RunSpec, judged: frozenset[str] = frozenset()) -> Trainee:
    resolved = resolve(spec)
    adapted = adapt(resolved, load_base(resolved), 4)
    return Trainee(adapted.model.eval(), resolved.method, adapted.formulation, resolved.recipes, adapted.added, judged)


def batch_of(trainee: Trainee, spec: RunSpec) -> Any:
    splits, _ = data.load(find_task(spec.task.name), spec.task, spec.seed)
    return trainee.formulation.collate(trainee.formulation.encode_training(splits.train[:8]), torch.device("cpu"))


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_it_adds_the_weighted_mean_of_the_others_losses(kind: str, make_spec: MakeSpec) -> None:
    spec = made(make_spec, kind, weight=0.5)
    trainee = trainee_of(spec)
    training, (recipe,) = trainee.training(4), trainee.recipes
    recipe.begin(training)
    training.step = 1
    batch = batch_of(trainee, spec)
    plain = trainee.formulation.losses(trainee.model, batch)
    with torch.no_grad():
        found = recipe.losses(training, batch, lambda given: trainee.formulation.losses(trainee.model, given))
        other = training.logged["multi_task/loss"][-1]
    added = (found - plain).sum() / trainee.formulation.n_counted(batch.rows)
    assert added.item() == pytest.approx(0.5 * other, rel=1e-4)
    assert other > 0


def test_the_other_tasks_own_head_is_linear_on_the_mean_of_the_tokens(make_spec: MakeSpec) -> None:
    spec = made(make_spec)
    trainee = trainee_of(spec)
    training, (recipe,) = trainee.training(4), trainee.recipes
    recipe.begin(training)
    training.step = 1
    with torch.no_grad():
        recipe.losses(training, batch_of(trainee, spec), lambda given: torch.zeros(len(given.rows)))
        (beside,), (head,) = recipe._beside, recipe._heads
        rows = beside.rows[:6]
        given = beside.formulation.collate(rows, torch.device("cpu"))
        states = trainee.model(**given.inputs, output_hidden_states=True).hidden_states[-1]
        mask = given.inputs["attention_mask"].bool()
        means = torch.stack([state[kept].mean(0) for state, kept in zip(states, mask, strict=True)])
        targets = torch.tensor([row.example.target for row in rows])
        expected = cross_entropy(means @ head.linear.weight.T + head.linear.bias, targets, reduction="none")
        assert torch.allclose(beside.formulation.losses(head, given), expected, atol=1e-5)
    assert beside.own_outputs == 2


def test_a_task_of_the_same_labels_shares_the_head(make_spec: MakeSpec, tiny_data: Path) -> None:
    same = f"{tiny_data / 'train.parquet'}?text=sentence&target=label"
    spec = make_spec("full", recipes=[{"name": "multi_task", "others": [same]}], task={"name": same, "path": None})
    beside = trainee_of(spec).training(4).beside
    assert beside
    assert beside(same, 10).own_outputs == 0
    assert beside(OTHER, None).own_outputs == 2


def test_what_the_run_is_judged_on_is_not_learned(make_spec: MakeSpec) -> None:
    from harness.data.leakage import loose_key

    splits, _ = data.load(
        find_task(OTHER), resolve(made(make_spec)).spec.task.model_copy(update={"name": OTHER, "path": None}), 0
    )
    judged = frozenset(map(loose_key, splits.train[:3]))
    beside = trainee_of(made(make_spec), judged).training(4).beside
    assert beside
    found = beside(OTHER, None)
    assert found.n_left_out == 3
    assert not judged & {loose_key(row.example) for row in found.rows}


def test_the_others_decide_the_identity(make_spec: MakeSpec, tmp_path: Path) -> None:
    copy = tmp_path / "other.csv"
    shutil.copy(OTHER.partition("?")[0], copy)
    recipe = {"name": "multi_task", "others": [f"{copy}?text=text&target=kind"]}
    spec = make_spec("full", recipes=[recipe])
    before = identify(resolve(spec))
    copy.write_text(copy.read_text().replace("great", "fine"))
    assert identify(resolve(spec)) != before


def test_only_this_task_is_answered(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(made(make_spec, first=0.5), tmp_path)
    assert record.status == "ok", record.reason
    answers = read_answers(tmp_path / "runs" / record.run_id / PREDICTIONS, "test", Nll.needs)
    assert answers
    assert len(answers.targets) == record.data.sizes["test"]
    assert record.curve[-1]["multi_task/loss"] > 0
    names = [key for key in record.curve[0] if key.startswith("multi_task/")]
    assert {"multi_task/examples", "multi_task/left_out", "multi_task/loss"} <= set(names)


def test_without_others_the_run_is_skipped(make_spec: MakeSpec) -> None:
    spec = make_spec("full", recipes=[{"name": "multi_task"}])
    assert "set its others" in (resolve(spec).skip_reason() or "")


def test_its_heads_are_not_stored(make_spec: MakeSpec, tmp_path: Path) -> None:
    plain = run(make_spec("full", training={"epochs": 1, "batch_size": 8}), tmp_path)
    both = run(made(make_spec), tmp_path)
    assert plain.params.trainable == both.params.trainable


def test_it_is_listed() -> None:
    assert "multi_task" in RECIPES.names()
