"""Many runs in one worker against one command each."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.contestants import output, sentences

SUITE = """
bases = ["minilm"]
tasks = ["{task}"]
seeds = {seeds}

[task]
train_limit = {n_train}
validation_limit = 32
test_limit = {n_test}

[training]
epochs = 1

[methods.lora]
[methods.last_layers]
"""


def many_runs(short: bool) -> dict[str, Any]:
    """Seconds of a suite in one worker, and of as many ``run`` commands one after the other; equal results."""
    n_seeds, n_train, n_test = (1, 64, 32) if short else (6, 128, 128)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cells.toml"
        file.write_text(SUITE.format(task=sentences(), seeds=list(range(n_seeds)), n_train=n_train, n_test=n_test))
        started = time.perf_counter()
        output([sys.executable, "-m", "harness", "suite", str(file), "--workers", "1", "--results", f"{folder}/a"], {})
        together = time.perf_counter() - started
        records = {path.parent.name: json.loads(path.read_text()) for path in Path(folder, "a").rglob("record.json")}
        apart = 0.0
        for run_id, record in records.items():
            spec = record["spec"]
            limits = [
                f"--set=task.{key}={spec['task'][key]}" for key in ("train_limit", "validation_limit", "test_limit")
            ]
            command = [sys.executable, "-m", "harness", "run", "--method", spec["method"]["name"]]
            command += ["--task", spec["task"]["name"], "--seed", str(spec["seed"]), *limits]
            command += ["--set=training.epochs=1", "--results", f"{folder}/b"]
            started = time.perf_counter()
            output(command, {})
            apart += time.perf_counter() - started
            alone = json.loads(Path(folder, "b", "runs", run_id, "record.json").read_text())
            assert alone["metrics"] == record["metrics"], run_id
    return {
        "runs": len(records),
        "one worker, seconds": together,
        "one by one, seconds": apart,
        "ratio": apart / together,
    }
