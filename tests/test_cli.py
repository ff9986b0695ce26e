"""The command line as a user types it: what it prints where, exit codes, no traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIGHT = [
    ["--help"],
    ["plot", "pareto", "--help"],
    ["list", "methods"],
    ["list", "figures"],
    ["list", "tasks"],
    ["list", "bases"],
    ["list", "runs"],
]


def harness(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})


@pytest.fixture
def tiny(snapshots: dict[str, Path], tiny_data: Path, tmp_path: Path) -> list[str]:
    """Options of a run on a tiny encoder that takes a second."""
    options = ["--base", str(snapshots["encoder"]), "--task", "sst2", "--results", str(tmp_path)]
    return [*options, "--set", f"task.path={tiny_data}", "--set", "training.max_steps=4"]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_light_commands_import_no_torch(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom harness.cli.app import main\n"
        f"sys.argv = ['harness', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'torch', 'transformers', 'peft', 'datasets', 'optuna', 'rich'} & set(sys.modules)\n"
        "assert sys.argv[1:] != ['--help'] or 'pydantic' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_run_show_export_predict(tiny: list[str], snapshots: dict[str, Path], tmp_path: Path) -> None:
    done = harness("run", "--method", "lora", *tiny)
    assert done.returncode == 0, done.stderr
    assert "test/accuracy" in done.stdout
    assert done.stderr == "", "progress and warnings stay off a stderr that is no terminal"
    path = next((tmp_path / "runs").glob("*/record.json"))
    assert str(path) in done.stdout.replace("\n", "")
    run_id = path.parent.name

    shown = harness("show", run_id[:6], "--results", str(tmp_path))
    assert json.loads(shown.stdout)["run_id"] == run_id
    assert run_id in harness("list", "runs", "--results", str(tmp_path)).stdout

    exported, merged = tmp_path / "exported", tmp_path / "merged"
    assert harness("export", run_id, "--to", str(exported), "--results", str(tmp_path)).returncode == 0
    merging = harness("export", run_id, "--to", str(merged), "--merge", "--results", str(tmp_path))
    assert merging.returncode == 0, merging.stderr
    texts = ["a superb film", "the plot is awful"]
    answered = harness("predict", run_id, *texts, "--results", str(tmp_path))
    assert answered.returncode == 0, answered.stderr
    scores = [list(json.loads(line)["scores"].values()) for line in answered.stdout.splitlines()]
    _check_same_scores(scores, texts, snapshots["encoder"], exported, merged)


def _check_same_scores(scores: list[list[float]], texts: list[str], base: Path, exported: Path, merged: Path) -> None:
    """peft alone, from the exported adapter, and transformers alone, from the merged checkpoint, say the same."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(merged)(texts, return_tensors="pt", padding=True)
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    for model in (
        PeftModel.from_pretrained(plain, exported),
        AutoModelForSequenceClassification.from_pretrained(merged),
    ):
        with torch.no_grad():
            logits = model.eval()(**inputs).logits
        torch.testing.assert_close(logits, torch.tensor(scores), atol=1e-4, rtol=1e-4)


WRONG = {
    "unknown method 'lorra' (did you mean 'lora'?)": ["--method", "lorra", "--task", "sst2"],
    "unknown task 'sst3' (did you mean 'sst2'?)": ["--method", "lora", "--task", "sst3"],
    "did you mean '4bit'?": ["--method", "lora", "--task", "sst2", "--quantization", "int4"],
    "did you mean 'learning_rate'?": ["--method", "lora", "--task", "sst2", "--set", "training.learning_rat=1"],
    "did you mean 'rank'?": ["--method", "lora", "--task", "sst2", "--set", "method.rnk=4"],
    "method.rank": ["--method", "lora", "--task", "sst2", "--set", "method.rank=0"],
    "training.epochs": ["--method", "lora", "--task", "sst2", "--set", "training.epochs=many"],
    "--set needs key=value": ["--method", "lora", "--task", "sst2", "--set", "training.epochs"],
    "seed": ["--method", "lora", "--task", "sst2", "--set", "seed=-1"],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_input(message: str, tmp_path: Path) -> None:
    done = harness("run", *WRONG[message], "--results", str(tmp_path))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    wrong = ["--set", "training.epochs=0", "--set", "base.max_len=3", "--quantization", "2bit"]
    done = harness("run", "--method", "lora", "--task", "sst2", *wrong, "--results", str(tmp_path))
    assert all(field in done.stderr for field in ("training.epochs", "base.max_len", "base.quantization"))


@pytest.mark.parametrize("command", ["show", "export", "predict"])
def test_unknown_run(command: str, tmp_path: Path) -> None:
    extra = {"show": [], "export": ["--to", str(tmp_path / "out")], "predict": ["text"]}[command]
    done = harness(command, "abc", *extra, "--results", str(tmp_path))
    assert (done.returncode, "no finished run 'abc'" in done.stderr) == (2, True), done.stderr


def test_interrupt_is_130_and_leaves_nothing(tiny: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", "--method", "full", *tiny, "--set", "training.max_steps=100000"]
    # A test run started in the background ignores Ctrl-C, and so would its children.
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/*/log.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("runs/*/"))


def test_doctor_says_what_works(tmp_path: Path) -> None:
    done = harness("doctor", HARNESS_DATA_DIR=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    lines = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert {"8-bit bases", "4-bit bases", "hub", "data mirror", "package assets"} <= set(lines)
    assert str(tmp_path) in lines["data mirror"]
    assert " no " in lines["hub"]
