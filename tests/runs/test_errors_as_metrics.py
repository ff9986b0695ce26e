"""A run that is judged by an error: the checkpoint with the lowest one is chosen, and the best trial has it."""

import random
from pathlib import Path

from harness.runs.run import run
from harness.search.record import TrialRecord, best_trials
from harness.search.spec import SearchSpec
from tests.conftest import MakeSpec


def test_the_lowest_error_is_chosen(make_spec: MakeSpec, tmp_path: Path) -> None:
    draw = random.Random(0)
    path = tmp_path / "stars.csv"
    rows = [f"{'good ' * n}film {draw.random():.3f},{n}" for n in (draw.randrange(6) for _ in range(80))]
    path.write_text("text,stars\n" + "\n".join(rows) + "\n")
    task = {"name": f"{path}?text=text&target=stars&kind=regression&metrics=mae&metrics=rmse", "path": None}
    training = {"max_steps": 12, "eval_every": 2, "learning_rate": 0.1}
    record = run(make_spec("full", task=task, training=training), tmp_path)
    assert record.status == "ok", record.reason
    errors = [point["validation/mae"] for point in record.curve]
    assert errors.index(min(errors)) not in (0, errors.index(max(errors)))
    assert record.metrics["validation/mae"] == min(errors)
    assert record.metrics["test/rmse"] >= record.metrics["test/mae"] > 0


def test_the_best_trial_has_the_lowest_error() -> None:
    trials = [
        TrialRecord(number=n, status="complete", params={}, values=[value], run_ids=[], steps=1, seconds=1.0)
        for n, value in enumerate((0.5, 0.2, 0.9))
    ]
    assert best_trials(trials, SearchSpec(trials=3), "mae") == [1]
    assert best_trials(trials, SearchSpec(trials=3), "accuracy") == [2]
