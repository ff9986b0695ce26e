"""What trackers are told, read back from TensorBoard's own files."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import HarnessWarning, SpecError
from harness.libraries.trackers import check_installed
from harness.runs.run import run
from harness.storage.store import Store
from tests.conftest import MakeSpec


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Name → steps and values, from the files of one run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    return {name: [(one.step, one.value) for one in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_tensorboard_has_the_curve_the_results_and_the_spec(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("lora", training={"eval_every": 3}, probes=[{"name": "calibration"}])
    record = run(spec, tmp_path, tracker="tensorboard")
    folder = tmp_path / "trackers" / record.run_id
    told = scalars(folder)
    for name in ("validation/accuracy", "train_loss"):
        expected = [(int(point["step"]), pytest.approx(point[name], rel=1e-6)) for point in record.curve]
        assert told[name][: len(expected)] == expected
    steps = record.curve[-1]["step"]
    assert told["test/accuracy"] == [(steps, pytest.approx(record.metrics["test/accuracy"]))]
    assert told["brier_score"] == [(steps, pytest.approx(record.measured["brier_score"]))]
    (hyperparameters,) = folder.glob("*/hparams.yml")
    stored = yaml.safe_load(hyperparameters.read_text())
    assert stored["method.rank"] == record.spec.method.settings["rank"]
    assert stored["task.name"] == "sst2"


def test_a_tracker_changes_no_result_even_where_it_fails(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.tracking import TensorBoardTracker

    spec = make_spec("lora")
    plain, told = run(spec, tmp_path / "plain"), run(spec, tmp_path / "told", tracker="tensorboard")

    def fails(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(TensorBoardTracker, "log", fails)
    with pytest.warns(HarnessWarning, match="tensorboard is told nothing more of this run: OSError: no route") as said:
        failed = run(spec, tmp_path / "failed", tracker="tensorboard")
    assert len([one for one in said if "told nothing more" in str(one.message)]) == 1, [
        str(one.message) for one in said
    ]
    assert plain.metrics == told.metrics == failed.metrics
    assert plain.params == told.params == failed.params


def test_runs_of_a_suite_are_told(make_spec: MakeSpec, tmp_path: Path, tiny_data: Path) -> None:
    file, base = tmp_path / "two.toml", make_spec("lora").base.name
    file.write_text(
        f'bases = ["{base}"]\ntasks = ["sst2"]\nseeds = [0, 1]\n[task]\npath = "{tiny_data}"\n'
        "[training]\nmax_steps = 2\n[methods.lora]\n"
    )
    command = ["suite", str(file), "--results", str(tmp_path), "--tracker", "tensorboard"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    ids = {record.run_id for record in Store(tmp_path).records()}
    assert {folder.name for folder in (tmp_path / "trackers").iterdir()} == ids
    assert all("test/accuracy" in scalars(tmp_path / "trackers" / run_id) for run_id in ids)


def test_a_tracker_that_is_not_there_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError, match="--tracker wandb needs wandb: pip install wandb"):
        check_installed("wandb")


def test_an_unknown_tracker_names_those_there_are(tmp_path: Path) -> None:
    command = ["run", "--method", "lora", "--task", "sst2", "--tracker", "tensorbord", "--results", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0
    assert "tensorboard" in str(result.exception) + result.output


def test_a_repeated_run_is_drawn_apart_from_the_first(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec("lora", training={"eval_every": 3})
    first = run(spec, tmp_path, tracker="tensorboard")
    run(spec, tmp_path, force=True, tracker="tensorboard")
    told = [scalars(tmp_path / "trackers" / name)["train_loss"] for name in (first.run_id, f"{first.run_id}.1")]
    assert told[0] == told[1]
    assert len(told[0]) == len(first.curve)


@pytest.mark.filterwarnings("default")  # MLflow's own warnings of its database are no faults of ours
def test_mlflow_has_the_same_in_a_database(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    record = run(make_spec("lora", training={"eval_every": 3}), tmp_path, tracker="mlflow")
    client = mlflow.MlflowClient(uri)
    [experiment] = client.search_experiments(filter_string="name = 'adaptation-harness'")
    [stored] = client.search_runs([experiment.experiment_id])
    assert (stored.info.run_name, stored.info.status) == (record.run_id, "FINISHED")
    assert stored.data.params["method.rank"] == str(record.spec.method.settings["rank"])
    assert stored.data.metrics["test/accuracy"] == pytest.approx(record.metrics["test/accuracy"])
    curve = [(one.step, one.value) for one in client.get_metric_history(stored.info.run_id, "validation/accuracy")]
    expected = [(point["step"], pytest.approx(point["validation/accuracy"])) for point in record.curve]
    assert curve[: len(expected)] == expected
