"""Runs on one's own file: what they remember of it, and what they say of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.run import print_record
from harness.core.errors import SpecError
from harness.runs.export import predict_texts
from harness.runs.run import run
from harness.storage.store import Store
from tests.conftest import MakeSpec


def write(path: Path, labels: tuple[str, str]) -> Path:
    path.write_text("t,y\n" + "".join(f"the film is {('bad', 'good')[n % 2]} {n},{labels[n % 2]}\n" for n in range(40)))
    return path


@pytest.mark.parametrize(("kind", "method"), [("decoder", "zero_shot"), ("encoder", "last_layers")])
def test_an_old_run_answers_in_the_names_it_knew(kind: str, method: str, make_spec: MakeSpec, tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", ("negative", "positive"))
    spec = make_spec(method, kind, task={"name": f"{file}?text=t&target=y", "path": None}, training={"max_steps": 2})
    old = run(spec, tmp_path)
    assert old.task["labels"] == ["negative", "positive"]
    before = predict_texts(old.run_id, ["the film is good"], tmp_path)
    write(file, ("plot", "cast"))
    new = run(spec, tmp_path)
    assert new.run_id != old.run_id
    assert new.data.fingerprint != old.data.fingerprint
    assert predict_texts(old.run_id, ["the film is good"], tmp_path) == before
    assert set(predict_texts(new.run_id, ["the film"], tmp_path)[0]["scores"]) == {"plot", "cast"}
    file.unlink()
    assert predict_texts(old.run_id, ["the film is good"], tmp_path) == before


def test_an_old_run_answers_on_the_scale_it_knew(make_spec: MakeSpec, tmp_path: Path) -> None:
    rows = [{"t": f"the film {n}", "y": 10.0 + n % 5} for n in range(40)]
    file = tmp_path / "t.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    name = f"{file}?kind=regression&text=t&target=y"
    spec = make_spec("last_layers", task={"name": name, "path": None}, training={"max_steps": 2})
    old = run(spec, tmp_path)
    assert old.task["value_range"] == [10.0, 14.0]
    before = predict_texts(old.run_id, ["the film is good"], tmp_path)
    file.write_text("\n".join(json.dumps({**row, "y": 100 * row["y"]}) for row in rows))  # type: ignore[operator]
    assert predict_texts(old.run_id, ["the film is good"], tmp_path) == before


def test_examples_that_are_shown_must_be_those_of_the_run(make_spec: MakeSpec, tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", ("negative", "positive"))
    task = {"name": f"{file}?text=t&target=y", "path": None}
    old = run(make_spec("zero_shot", "decoder", task=task, method={"n_shots": 2}), tmp_path)
    assert predict_texts(old.run_id, ["the film"], tmp_path)
    write(file, ("plot", "cast"))
    with pytest.raises(SpecError, match="have changed since run"):
        predict_texts(old.run_id, ["the film"], tmp_path)


def test_a_run_that_doesn_t_know_its_task_is_not_asked(make_spec: MakeSpec, tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", ("negative", "positive"))
    own = run(make_spec("zero_shot", "decoder", task={"name": f"{file}?text=t&target=y", "path": None}), tmp_path)
    registered = run(make_spec("zero_shot", "decoder"), tmp_path)
    for record, task, problem in (
        (own, {}, "does not say what its labels and prompts were"),
        (registered, {"version": 999}, "is of version 999 of task sst2"),
    ):
        path = Store(tmp_path).folder(record.run_id) / "record.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "task": task}))
        with pytest.raises(SpecError, match=problem):
            predict_texts(record.run_id, ["the film"], tmp_path)


def test_what_is_left_out_is_said(make_spec: MakeSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "t.csv", ("negative", "positive"))
    file.write_text(file.read_text() + "an open question,\nthe film is bad 0,negative\n")
    name = f"{file}?text=t&target=y"
    record = run(make_spec("zero_shot", "decoder", task={"name": name, "path": None}), tmp_path)
    assert record.data.left_out == {"train rows without a target": 1}
    print_record(record, tmp_path)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"{name}: 1 train rows without a target left out",
        f"{name}: test is carved from train (8 examples)",
    ]


@pytest.mark.parametrize(
    ("name", "content", "query", "message"),
    [
        ("t.csv", b"t,y\na,b\nc\n", "text=t&target=y", "line 3 has 1 of 2 cells"),
        ("t.csv", "t,y\né,b\n".encode("latin-1"), "text=t&target=y", "line 2: byte 0xe9 is not UTF-8"),
        ("t.jsonl", b'{"t": ["a"], "y": true}\n', "kind=token_classification&text=t&target=y", "line 1: 'y' has True"),
    ],
)
def test_a_file_that_can_t_be_read_is_told_without_a_traceback(
    name: str, content: bytes, query: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-m", "harness", "run", "--method", "lora", "--task", f"{name}?{query}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
