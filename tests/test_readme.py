"""The README does what it says: generated parts are current, every command runs, the examples are whole."""

import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.method import METHODS
from harness.runs.run import run
from harness.suites.suite import expand, parse_suite
from harness.task import TASKS
from tests import readme
from tests.conftest import MakeSpec, Register
from tests.representatives import REPRESENTATIVES, SMALLER

LIMITS = "training.max_steps=2 task.train_limit=32 task.validation_limit=16 task.test_limit=16 base.max_length=32"
"""What the test adds so that a command takes seconds; the rest of each command is the README's own."""


@pytest.mark.parametrize("name", readme.GENERATED)
def test_generated_parts_are_current(name: str) -> None:
    assert readme.part(name) == readme.GENERATED[name](), "run `python -m tests.readme`"


@pytest.mark.slow
def test_every_command_runs(tmp_path: Path) -> None:
    """In one folder, one after the other, so that `table` and `report` have something to show."""
    (tmp_path / "reviews.csv").write_text(
        "review,verdict\n" + "".join(f"film number {n} is {w},{w}\n" for n in range(30) for w in ("good", "bad"))
    )
    (tmp_path / "benchmarks").symlink_to(readme.README.parent / "benchmarks")
    commands = readme.commands()
    assert len(commands) > 10
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "harness"]
        if words[3] == "suite" and "--dry-run" not in words:
            continue  # the same file's plan is printed above it; tests/suite runs whole suites
        arguments = words[3:]
        if words[3] in ("run", "search"):
            arguments += [part for limit in LIMITS.split() for part in ("--set", limit)]
        if words[3] == "search":
            arguments[arguments.index("--trials") + 1] = "2"
        done = subprocess.run(
            [sys.executable, "-m", "harness", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout or words[3] in ("report", "plot")


def test_method_example(make_spec: MakeSpec, register: Register, tmp_path: Path) -> None:
    register("methods", "norm_scales", readme.example("methods/norm_scales.py"))
    record = run(make_spec("norm_scales"), tmp_path)
    assert record.status == "ok", record.reason
    assert 0 < record.params.trainable < record.params.total / 4


def test_task_example(make_spec: MakeSpec, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = readme.example("benchmarks/tweets.py")
    assert len(text.splitlines()) <= 30
    register("benchmarks", "tweets", text)
    assert "tweets" in TASKS.names()
    folder = tmp_path / "mirror" / "somebody" / "tweets" / "default"
    folder.mkdir(parents=True)
    rows = [{"text": f"{'a good' if n % 2 else 'a dull'} film number {n}", "label": n % 2} for n in range(60)]
    for split, part in (("train", rows[:40]), ("test", rows[40:])):
        pq.write_table(pa.Table.from_pylist(part), folder / f"{split}.parquet")
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "mirror"))
    record = run(make_spec(task={"name": "tweets", "path": None}), tmp_path)
    assert record.status == "ok", record.reason
    assert record.primary_metric == "f1"
    assert record.data.sizes["test"] == 20


def test_recipe_example(make_spec: MakeSpec, register: Register, tmp_path: Path) -> None:
    """In a suite with every method, of which one of each family is trained here."""
    text = readme.example("harness/recipes/gradient_noise.py")
    assert len(text.splitlines()) <= 30
    register("recipes", "gradient_noise", text)
    spec = make_spec()
    axes = {"bases": [spec.base.name], "tasks": ["sst2"], "recipes": ["none", "gradient_noise"]}
    sections = {"task": {"path": spec.task.path}, "training": {"max_steps": 2, "batch_size": 8}}
    methods = {name: SMALLER.get(name, {}) for name in METHODS.names()}
    cells = {cell.label: cell.run for cell in expand(parse_suite(axes | sections | {"methods": methods}))}
    assert {f"{name}+gradient_noise" for name in methods if METHODS.find(name).trains} < cells.keys()
    for name in REPRESENTATIVES:
        plain, noisy = (run(cells[label], tmp_path) for label in (name, f"{name}+gradient_noise"))
        assert (plain.status, noisy.status) == ("ok", "ok"), noisy.reason
        assert plain.params.stored_hash != noisy.params.stored_hash


def test_the_life_of_a_run_names_what_there_is() -> None:
    """Every dotted name of the paragraph leads somewhere in the package."""
    paragraph = readme.README.read_text(encoding="utf-8").partition("The life of a run:")[2].partition("\n\n")[0]
    names = re.findall(r"`([a-zA-Z_]+(?:\.[a-zA-Z_]+)+)`", paragraph)
    assert len(names) >= 8
    for name in names:
        assert pkgutil.resolve_name(f"harness.{name}")
