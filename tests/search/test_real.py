"""The command on a real base and task."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from harness.core.space import Choice
from harness.core.spec import parse_overrides, parse_spec
from harness.search.record import StudyRecord, find_studies
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.store import Store
from tests.conftest import MakeSpec
from tests.search.test_resume import told

LIMITS = [
    "base.max_length=16",
    "task.train_limit=64",
    "task.validation_limit=32",
    "task.test_limit=8",
    "training.batch_size=16",
    "training.eval_every=2",
    "training.precision=fp32",
]


def start_search(results: Path, trials: int, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "search", "--method", "lora", "--task", "rotten_tomatoes"]
    command += [part for limit in LIMITS for part in ("--set", limit)]
    command += ["--set", "training.epochs=1", "--trials", str(trials), "--results", str(results), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], results: Path) -> StudyRecord:
    out, err = process.communicate()
    assert process.returncode == 0, err
    (study,) = find_studies(results)
    assert study.name in out
    return study


def wait_for_a_run_in_mid_training(results: Path, n_finished: int) -> None:
    """Until some runs have finished and another one has been validated but not finished."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        runs = [path.parent for path in (results / "runs").glob("*/log.jsonl")]
        unfinished = [folder for folder in runs if not (folder / "record.json").exists()]
        is_validated = any('"validation"' in (folder / "log.jsonl").read_text() for folder in unfinished)
        if is_validated and len(runs) - len(unfinished) >= n_finished:
            return
        time.sleep(0.005)
    raise AssertionError("no run began in time")


@pytest.mark.slow
def test_12_trials_killed_in_mid_trial_equal_undisturbed_ones(tmp_path: Path) -> None:
    undisturbed = finish(start_search(tmp_path / "undisturbed", 12), tmp_path / "undisturbed")
    assert len(undisturbed.completed) == 12
    default, best = undisturbed.trial(0), undisturbed.trial(undisturbed.best[0])
    assert default.params["training.learning_rate"] == 5e-4
    assert best.values >= default.values
    killed = start_search(tmp_path / "killed", 12)
    wait_for_a_run_in_mid_training(tmp_path / "killed", n_finished=2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    resumed = finish(start_search(tmp_path / "killed", 12), tmp_path / "killed")
    assert told(resumed) == told(undisturbed)


def test_a_trial_interrupted_in_mid_training_goes_on_from_its_checkpoint(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same record; a pruned trial leaves no state behind."""
    spec, asked = make_spec("lora", training={"eval_every": 2, "epochs": 3}), SearchSpec(trials=2, sampler="random")
    undisturbed = search_cell(spec, asked, tmp_path / "undisturbed")
    report, told = optuna.Trial.report, []

    def stop(trial: optuna.Trial, value: float, step: int) -> None:
        told.append(step)
        if len(told) == 2:
            raise KeyboardInterrupt
        report(trial, value, step)

    monkeypatch.setattr(optuna.Trial, "report", stop)
    with pytest.raises(KeyboardInterrupt):
        search_cell(spec, asked, tmp_path / "stopped", checkpoint_every=1)
    assert len(list((tmp_path / "stopped" / "checkpoints").iterdir())) == 1

    def prune(trial: optuna.Trial, value: float, step: int) -> None:
        report(trial, value, step)
        if trial.params["training.learning_rate"] != 5e-4:  # the default is the first trial's
            raise optuna.TrialPruned

    monkeypatch.setattr(optuna.Trial, "report", prune)
    resumed = search_cell(spec, asked, tmp_path / "stopped", checkpoint_every=1)
    monkeypatch.undo()
    first, second = resumed.trials
    assert first.values == undisturbed.trials[0].values
    assert second.status == "pruned"
    assert Store(tmp_path / "stopped").match(first.run_ids[0])[1].environment["resumed_at_step"] >= 3
    assert not list((tmp_path / "stopped" / "checkpoints").iterdir())


def test_learning_rates_of_10_diverge_into_records_and_the_study_goes_on(tmp_path: Path) -> None:
    sections = parse_overrides([*LIMITS, "training.epochs=1", "task.name=rotten_tomatoes"])
    spec = parse_spec({**sections, "method": {"name": "full"}})
    space = {"training.learning_rate": Choice((5e-5, 10.0, 20.0))}
    study = search_cell(spec, SearchSpec(trials=9, sampler="grid", pruner="none"), tmp_path, space=space)
    failed = [trial for trial in study.trials if trial.status == "failed"]
    assert len(study.completed) == 2
    assert sorted(trial.params["training.learning_rate"] for trial in failed) == [10.0, 20.0]
    records = [Store(tmp_path).match(run_id)[1] for trial in failed for run_id in trial.run_ids]
    assert {record.status for record in records} == {"diverged"}
    assert all(record.reason and "loss" in record.reason for record in records)


def test_wrong_input_ends_with_2_and_no_traceback(tmp_path: Path) -> None:
    for options, message in [
        (["--sampler", "tpee"], "did you mean 'tpe'"),
        (["--budget-seconds", "3"], "either trials or budget_seconds"),
        (["--objectives", "quality,speed"], "objectives"),
        (["--storage", "nonsense"], "can't use --storage nonsense"),
    ]:
        process = start_search(tmp_path, 2, *options)
        _, err = process.communicate()
        assert process.returncode == 2, err
        assert message in err
        assert "Traceback" not in err
