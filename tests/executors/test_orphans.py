"""Nothing is left running when the command that started it is told to end, or is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process computes: one that nobody has collected yet has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-m", "tests.orphans", str(path)], cwd=ROOT)
    wait_for(lambda: path.exists() and path.read_text() != "")
    worker = int(path.read_text())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_running(worker), 5.0)


@pytest.fixture
def long_run(snapshots: dict[str, Path], tiny_data: Path) -> list[str]:
    """Options of a run that takes minutes."""
    options = ["--base", str(snapshots["encoder"]), "--task", "sst2", "--method", "lora"]
    return [*options, "--set", f"task.path={tiny_data}", "--set", "training.epochs=3000"]


def started(arguments: list[str], results: Path) -> "subprocess.Popen[str]":
    """A command that has validated once."""
    command = [sys.executable, "-m", "harness", *arguments, "--results", str(results)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(results.glob("runs/*/log.jsonl")))
    return process


def test_a_run_that_is_told_to_end_ends_like_an_interrupted_one(long_run: list[str], tmp_path: Path) -> None:
    process = started(["run", *long_run], tmp_path)
    process.terminate()
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert errors == "interrupted; run the same command again to go on\n"
    assert not list(tmp_path.glob("runs/*/"))


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_suite_that_is_told_to_end_or_killed_leaves_no_worker(
    kill: signal.Signals, snapshots: dict[str, Path], tiny_data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "suite.toml"
    task = f'tasks = ["sst2"]\n[task]\npath = "{tiny_data}"\n[training]\nepochs = 3000\n[methods.lora]\n'
    file.write_text(f'bases = ["{snapshots["encoder"]}"]\n{task}')
    process = started(["suite", str(file)], tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children]
    assert workers
    os.kill(process.pid, kill)
    _, errors = process.communicate(timeout=10)
    wait_for(lambda: not any(map(is_running, workers)), 5.0)
    assert process.returncode == (130 if kill == signal.SIGTERM else -signal.SIGKILL)
    assert ("the same command goes on" in errors) == (kill == signal.SIGTERM)
    assert not list(tmp_path.glob("runs/*/record.json"))
