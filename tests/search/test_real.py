"""The command on a real base and task."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.core.space import Choice
from harness.core.spec import parse_overrides, parse_spec
from harness.search.record import StudyRecord, find_studies
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.store import Store
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
