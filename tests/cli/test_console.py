"""Text from outside on a terminal: shown as it is, never obeyed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.console import one_line, printable, say_table
from harness.cli.follow import follow
from harness.cli.run import print_record
from harness.core.spec import parse_spec
from harness.executor import Event, Job
from harness.storage.record import Record
from harness.storage.store import Store

HOSTILE = "bad [/x] [bold]b[/bold] [/INST]\n\x1b[31mred\x1b[0m \x9b2J :smile: \u202eevil"
SHOWN = "bad [/x] [bold]b[/bold] [/INST] \\u001b[31mred\\u001b[0m \\u009b2J :smile: \\u202eevil"


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A stored failed run whose every text is hostile."""
    spec = parse_spec({"method": {"name": "lora"}, "task": {"name": HOSTILE}, "base": {"name": HOSTILE}})
    now = "2026-01-01T00:00:00+00:00"
    made = Record(run_id="0123456789ab", status="failed", reason=HOSTILE, spec=spec, started_at=now, finished_at=now)
    store = Store(tmp_path)
    with store.writing(made.run_id, spec) as folder:
        store.finish(folder, made)
    return made


def harness(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_printable_escapes_what_a_terminal_obeys() -> None:
    assert printable("a\tb\nc é 漢 👍") == "a\tb\nc é 漢 👍"
    assert printable("\x00\x07\x08\r\x1b\x7f\x85\x9b\u202e\u2066\ud800") == (
        "\\u0000\\u0007\\u0008\\u000d\\u001b\\u007f\\u0085\\u009b\\u202e\\u2066\\ud800"
    )
    assert one_line(" a\r\nb\x0bc\u2028d\n\n") == "a b c d"


def test_json_means_the_same_when_it_is_printable() -> None:
    text = json.dumps({"a": HOSTILE}, ensure_ascii=False)
    assert json.loads(printable(text)) == {"a": HOSTILE}


@pytest.mark.parametrize("is_terminal", [False, True])
def test_tables_take_text_as_it_is(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "200")
    say_table(["[/head]", "b"], [[HOSTILE, "1"], ["second", "2"]], title="[/title]\x1b")
    printed = capsys.readouterr().out
    assert "\x1b[31m" not in printed
    assert "\x9b" not in printed
    for text in ("[/head]", "[/title]\\u001b", "bad [/x] [bold]b[/bold] [/INST]", ":smile: \\u202eevil"):
        assert text in printed
    assert is_terminal or len(printed.splitlines()) == 4


def test_a_record_is_printed_as_it_is(record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_record(record, tmp_path)
    assert f"reason                {SHOWN}" in capsys.readouterr().out


def test_a_folder_with_hostile_runs_is_listed(record: Record, tmp_path: Path) -> None:
    for arguments in (["list", "runs"], ["show", record.run_id], ["table"]):
        done = harness(*arguments, "--results", str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "[/INST]" in done.stdout.replace("\\[", "[").replace("\\]", "]")


def test_a_suite_goes_on_after_a_hostile_reason(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(record.run_id, record.spec)
    follow([Event(job), Event(job, record)], 1, "cells")
    error = capsys.readouterr().err
    assert SHOWN in error
    assert error.count("\n") == 1


def test_errors_show_no_control_characters() -> None:
    done = harness("show", "\x1b[31mabc", "--results", "\x1b[31mx")
    assert (done.returncode, "\x1b" in done.stderr) == (2, False)
    assert "\\u001b[31mx" in done.stderr


def test_an_ascii_terminal_gets_escapes(record: Record, tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for arguments in (["list", "tasks"], ["show", record.run_id, "--results", str(tmp_path)]):
        done = harness(*arguments, **ascii_only)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
    assert json.loads(done.stdout)["reason"] == HOSTILE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = harness("list", "bases", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "error: [Errno 28] No space left on device\n"


def test_a_reader_that_has_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = harness("list", "tasks", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_output_is_told_before_anything_runs(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m harness list bases >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output is closed")


def test_only_the_console_writes() -> None:
    """Commands print by way of ``console``, so that no text reaches a terminal unseen."""
    folder = Path(__file__).parents[2] / "harness" / "cli"
    for path in folder.glob("*.py"):
        if path.name != "console.py":
            text = path.read_text(encoding="utf-8")
            assert " print(" not in text, path.name
            assert "echo(" not in text, path.name
            assert "rich.console" not in text, path.name
            assert "rich.table" not in text, path.name
