"""A training that was interrupted and went on equals one that was not, to the last bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness.core.errors import HarnessWarning, SourceError
from harness.core.spec import RunSpec
from harness.method import METHODS
from harness.recipe import RECIPES
from harness.runs.resolve import resolve
from harness.runs.run import run
from harness.storage.record import Record
from harness.storage.state import about_state, load_state, save_state
from harness.training.resume import Checkpoints
from tests.conftest import MakeSpec
from tests.representatives import SMALLER

STEPS = 6
VALIDATIONS = (2, 4, 6)
"""Each run is broken off at all of them, one after the other: what is lost may matter at a single step only."""


class Interrupted(BaseException):
    """As Ctrl-C: it leaves no record."""


def interrupt(_folder: Path) -> str:
    """Stands where the work after training is interrupted."""
    raise Interrupted


def interrupted(spec: RunSpec, results: Path, at: int) -> None:
    """Begin the run and break it off at a validation."""

    def stop(step: int, _metrics: dict[str, float]) -> None:
        if step == at:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(spec, results, on_validation=stop, checkpoint_every=1)


def check_equal(one: Record, one_results: Path, other: Record, other_results: Path) -> None:
    """Predictions, scores, curve and what is stored."""
    assert one.status == other.status == "ok", (one.reason, other.reason)
    folders = (one_results / "runs" / one.run_id, other_results / "runs" / other.run_id)
    first, second = ((folder / "predictions.parquet").read_bytes() for folder in folders)
    assert first == second
    assert one.params == other.params
    assert one.data == other.data
    curves = [[{**point, "seconds": 0} for point in each.curve] for each in (one, other)]
    assert curves[0] == curves[1]
    counted = [(each.cost.train_tokens, each.cost.padded_tokens, each.cost.eval_tokens) for each in (one, other)]
    assert counted[0] == counted[1]


def spec_for(make_spec: MakeSpec, data: Path, **sections: Any) -> RunSpec | None:
    """A run of six steps with a validation after every other, on the first kind of base that can do it.

    The metric is one that every change of the weights changes.
    """
    task = {"name": f"{data / 'train.parquet'}?text=sentence&target=label&metrics=nll", "path": None}
    training = {"epochs": 4, "batch_size": 16, "eval_every": 2, "max_steps": STEPS}
    for kind in ("encoder", "decoder"):
        spec = make_spec(kind=kind, **({"training": training, "task": task} | sections))
        if not resolve(spec).skip_reason():
            return spec
    return None


@pytest.mark.parametrize("method", [name for name in METHODS.names() if METHODS.find(name).trains])
def test_every_method_goes_on(method: str, make_spec: MakeSpec, tiny_data: Path, tmp_path: Path) -> None:
    spec = spec_for(make_spec, tiny_data, method={"name": method, **SMALLER.get(method, {})})
    if spec is None:
        pytest.skip("no tiny base for it")
    undisturbed = run(spec, tmp_path / "a")
    if undisturbed.status == "skipped":
        pytest.skip(str(undisturbed.reason))
    for at in VALIDATIONS:
        interrupted(spec, tmp_path / "b", at)
    resumed = run(spec, tmp_path / "b")
    assert resumed.environment["resumed_at_step"] == STEPS - 1
    check_equal(undisturbed, tmp_path / "a", resumed, tmp_path / "b")
    assert not list((tmp_path / "b" / "checkpoints").iterdir())


def test_a_run_killed_after_its_last_step_is_not_failed(
    make_spec: MakeSpec, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new process makes no step, so it sees no gradient: what the old one saw counts."""
    spec = spec_for(make_spec, tiny_data)
    assert spec
    undisturbed = run(spec, tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr("harness.runs.run.hash_folder", interrupt)
        with pytest.raises(Interrupted):
            run(spec, tmp_path / "b", checkpoint_every=1)
    resumed = run(spec, tmp_path / "b")
    assert resumed.environment["resumed_at_step"] == STEPS
    check_equal(undisturbed, tmp_path / "a", resumed, tmp_path / "b")


OTHER = f"{Path(__file__).parents[1] / 'probes' / 'general.csv'}?text=text&target=kind"
SETTINGS: dict[str, dict[str, Any]] = {
    "multi_task": {"others": [OTHER]},
    "swa": {"start": 0.2},
    "dp_sgd": {"delta": 1e-3},
}


@pytest.mark.parametrize("recipe", [name for name in RECIPES.names() if name != "back_translation"])
def test_every_recipe_goes_on(recipe: str, make_spec: MakeSpec, tiny_data: Path, tmp_path: Path) -> None:
    made = {"name": recipe, **SETTINGS.get(recipe, {})}
    for method in ("lora", "full"):
        spec = spec_for(make_spec, tiny_data, method={"name": method}, recipes=[made])
        if spec and (undisturbed := run(spec, tmp_path / "a")).status != "skipped":
            break
    else:
        pytest.skip("no tiny base for it")
    for at in VALIDATIONS:
        interrupted(spec, tmp_path / "b", at)
    check_equal(undisturbed, tmp_path / "a", run(spec, tmp_path / "b"), tmp_path / "b")


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.safetensors"
    weight = torch.randn(3, 4).T  # not contiguous
    tree = {"a": [1, -0.1, float("inf"), None, True, "text"], 3: (weight, {"deep": torch.tensor(2)}), "none": {}}
    save_state(path, tree, {"run": "x"})
    found = load_state(path)
    assert about_state(path) == {"run": "x"}
    assert found["a"] == tree["a"]
    assert found["none"] == {}
    assert isinstance(found[3], tuple)
    assert torch.equal(found[3][0], weight)
    assert found[3][1]["deep"].item() == 2
    with pytest.raises(TypeError, match="a set can't be stored"):
        save_state(path, {"a": {1}}, {})
    assert load_state(path)["a"] == tree["a"]


@pytest.mark.parametrize("length", [0, 1, 7, 100, 2000, -1])
def test_a_torn_state_is_told_and_training_begins_anew(length: int, make_spec: MakeSpec, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state.safetensors", "0" * 12, 1)
    checkpoints.save(1, {"steps": [torch.ones(1000)]})
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:length])
    with pytest.warns(HarnessWarning, match="training begins anew: cannot read"):
        assert checkpoints.load() is None


def test_a_state_of_something_else_is_not_used(tmp_path: Path) -> None:
    one, other = (Checkpoints(tmp_path / "state.safetensors", run_id * 12, 1) for run_id in "ab")
    one.save(1, {})
    with pytest.warns(HarnessWarning, match="it is of run 'aaaaaaaaaaaa', not 'bbbbbbbbbbbb'"):
        assert other.load() is None
    assert one.load() == {}


def test_a_foreign_file_is_no_state(tmp_path: Path) -> None:
    save_file({"0": torch.ones(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(SourceError, match="cannot read"):
        load_state(tmp_path / "foreign.safetensors")


def test_without_room_the_run_goes_on(make_spec: MakeSpec, tiny_data: Path, tmp_path: Path) -> None:
    spec = spec_for(make_spec, tiny_data)
    assert spec
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.warns(HarnessWarning, match="no checkpoint at step"):
        assert run(spec, tmp_path, checkpoint_every=1).status == "ok"
