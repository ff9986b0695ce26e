"""`suite` as a user meets it: stopped by Ctrl-C, called again, and again."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
bases = ["{base}"]
tasks = ["sst2"]
seeds = [0, 1]
[task]
path = "{data}"
[training]
max_steps = 8
[methods.lora]
[methods.full]
[methods.zero_shot]
"""


@pytest.fixture
def suite_file(snapshots: dict[str, Path], tiny_data: Path, tmp_path: Path) -> Path:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE.format(base=snapshots["encoder"], data=tiny_data))
    return file


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "harness", *map(str, arguments)]


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command in its own process group, heeding Ctrl-C even where the tests run in the background."""
    return subprocess.Popen(
        command(*arguments),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finished(results: Path) -> dict[str, int]:
    """run_id → time of its record."""
    return {path.parent.name: path.stat().st_mtime_ns for path in results.glob("runs/*/record.json")}


def test_interrupted_resumed_and_done(suite_file: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = ("suite", suite_file, "--workers", 2, "--results", results)
    process = start(*arguments)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("(1/6) ok")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    before = finished(results)
    assert 1 <= len(before) < 6

    resumed = subprocess.run(command(*arguments), capture_output=True, text=True, check=True)
    assert resumed.stdout == "6 cells: 4 ok, 2 skipped\n  skipped (2): " + reason_of_skipped(results) + "\n"
    after = finished(results)
    assert len(after) == 6
    assert {run_id: after[run_id] for run_id in before} == before

    again = subprocess.run(command(*arguments), capture_output=True, text=True, check=True)
    assert again.stdout == resumed.stdout
    assert again.stderr == ""
    assert finished(results) == after


def reason_of_skipped(results: Path) -> str:
    records = [json.loads(path.read_text()) for path in results.glob("runs/*/record.json")]
    [reason] = {record["reason"] for record in records if record["status"] == "skipped"}
    return str(reason)


@pytest.mark.slow
def test_a_full_disk_ends_a_suite_in_a_sentence_and_it_goes_on_later(suite_file: Path, tmp_path: Path) -> None:
    arguments = command("suite", suite_file, "--results", tmp_path / "results")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

    stopped = subprocess.run(arguments, capture_output=True, text=True, preexec_fn=small_files)
    assert stopped.returncode == 1
    assert "error: can't write" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("results/runs/*/record.json")]
    assert set(statuses) <= {"skipped"}
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.startswith("6 cells: 4 ok")


def test_dry_run_tells_the_plan_and_runs_nothing(suite_file: Path, tmp_path: Path) -> None:
    plan = subprocess.run(
        command("suite", suite_file, "--dry-run", "--results", tmp_path / "results"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "6 cells: 2 skipped, 4 to run; expected: 4 unknown" in plan.stdout
    assert not finished(tmp_path / "results")


def test_check_finds_faults_and_exits_1(suite_file: Path, tmp_path: Path) -> None:
    arguments = ("check", suite_file, "--results", tmp_path / "results")
    verdict = subprocess.run(command(*arguments), capture_output=True, text=True)
    assert verdict.returncode == 1
    assert {line.split(":")[0] for line in verdict.stdout.splitlines() if line[0] != " "} >= {
        "few_seeds",
        "few_examples",
    }
    assert "remedy: " in verdict.stdout


def test_a_wrong_file_exits_2(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('tasks = ["sst3"]\n[methods.lorra]\n')
    wrong = subprocess.run(command("suite", tmp_path / "wrong.toml"), capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "did you mean 'sst2'?" in wrong.stderr
    assert "did you mean 'lora'?" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_shards_do_every_cell_once(suite_file: Path, tmp_path: Path) -> None:
    planned = [
        subprocess.run(
            command("suite", suite_file, "--dry-run", "--shard", f"{number}/4", "--results", tmp_path),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in (1, 2, 3, 4)
    ]
    assert [re.findall(r"^(\d+) cells:", text, re.MULTILINE) for text in planned] == [["2"], ["2"], ["1"], ["1"]]
    ids = []
    for number in (1, 2):
        results = tmp_path / str(number)
        subprocess.run(
            command("suite", suite_file, "--shard", f"{number}/2", "--results", results),
            capture_output=True,
            check=True,
        )
        ids.append(set(finished(results)))
    assert len(ids[0]) == len(ids[1]) == 3
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_a_shard_that_is_none(shard: str, suite_file: Path) -> None:
    done = subprocess.run(command("suite", suite_file, "--shard", shard), capture_output=True, text=True)
    assert done.returncode == 2
    assert "such as 1/4" in done.stderr
