"""The commands that are raced: each is one process that prints what it measured."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.core.spec import RunSpec

Measures = dict[str, float]
GLIBC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""What keeps large buffers from going back to the kernel; the tuned script gets it too."""
VERSIONS = ("default", "tuned", "harness")


def sentences() -> str:
    """SST-2 where a mirror has it, else Rotten Tomatoes."""
    mirror = Path(os.environ.get("HARNESS_DATA_DIR", "/nonexistent"))
    return "sst2" if (mirror / "nyu-mll/glue/sst2").is_dir() else "rotten_tomatoes"


def race(spec: RunSpec, version: str) -> Measures:
    """One training and test of a spec by the Trainer script ("default", "tuned") or by ``harness run``."""
    started = time.perf_counter()
    measures = _harness(spec) if version == "harness" else _script(spec, version)
    return measures | {"command_seconds": time.perf_counter() - started}


def _script(spec: RunSpec, version: str) -> Measures:
    command = [sys.executable, "-m", "tests.bench.trainer_script", spec.model_dump_json(), version]
    measures: Measures = json.loads(output(command, GLIBC if version == "tuned" else {}).splitlines()[-1])
    return measures


def _harness(spec: RunSpec) -> Measures:
    with tempfile.TemporaryDirectory() as folder:
        output([sys.executable, "-m", "harness", "run", *options(spec), "--results", folder], {})
        record = json.loads(next(Path(folder).rglob("record.json")).read_text())
    cost, n_epochs = record["cost"], spec.training.epochs
    assert record["status"] == "ok", record["reason"]
    return {
        "train_tokens_per_second": cost["train_tokens"] / cost["train_seconds"],
        "eval_tokens_per_second": cost["eval_tokens"] / cost["eval_seconds"],
        "peak_bytes": max(cost["peak_memory_bytes"].values()),
        "accuracy": record["metrics_last"]["test/accuracy"],
        "steps": record["curve"][-1]["step"],
        "epochs": n_epochs,
    }


def options(spec: RunSpec) -> list[str]:
    """A spec as options of ``harness run``."""
    given: dict[str, Any] = spec.model_dump(exclude_defaults=True, exclude={"seed"})
    named = ["--method", given["method"].pop("name"), "--task", given["task"].pop("name"), "--seed", str(spec.seed)]
    named += ["--base", spec.base.name]
    sets = [
        f"{section}.{field}={json.dumps(value)}"
        for section, fields in given.items()
        if isinstance(fields, dict)
        for field, value in fields.items()
        if (section, field) != ("base", "name") and value is not None
    ]
    return [*named, *(word for item in sets for word in ("--set", item))]


def output(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints; its errors are shown if it fails.

    Raises:
        CalledProcessError: it failed.
    """
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    done.check_returncode()
    return done.stdout
