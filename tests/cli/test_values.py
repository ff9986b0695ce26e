"""What is typed as a value: read as TOML or as text, refused with a message, never a traceback."""

import math
from pathlib import Path

import pytest

from harness.cells.cells import parse_where
from harness.core.errors import SpecError
from harness.core.spec import parse_overrides, parse_spec
from harness.core.toml import read_toml, read_value
from harness.search.spec import parse_search
from tests.test_cli import harness

DEEP = "[" * 3000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1e-4", 1e-4),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("'1'", "1"),
        ("None", None),
        (" null ", None),
        ("many", "many"),
        ("2026-01-01", "2026-01-01"),
        ("1\nother = 2", "1\nother = 2"),
        ("1 # one", 1),
        ("", ""),
        ("a=b", "a=b"),
        ("\x00", "\x00"),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read_value(text) == value
    assert parse_overrides([f"method.x={text}"]) == {"method": {"x": value}}


def test_infinity_is_a_number_that_no_field_takes() -> None:
    assert math.isinf(read_value("inf"))
    for field in ("training.learning_rate", "training.clip_norm", "method.dropout"):
        with pytest.raises(SpecError, match=field):
            harness_spec(f"{field}=inf")


def harness_spec(*assignments: str) -> None:
    from harness.method import make_method

    spec = parse_spec({"task": {"name": "sst2"}, **parse_overrides(["method.name=lora", *assignments])})
    make_method(spec.method)


def test_nested_too_deeply(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(f"bases = {DEEP}")
    for function in (lambda: read_value(DEEP), lambda: parse_where([f"method={DEEP}"]), lambda: read_toml(file)):
        with pytest.raises(SpecError, match="too deeply"):
            function()


@pytest.mark.parametrize(
    ("assignment", "named"),
    [("learning_rate=1", "training.learning_rate"), ("rank=4", "method.rank"), ("max_length=8", "base.max_length")],
)
def test_a_field_without_its_section_is_told_where_it_is(assignment: str, named: str) -> None:
    with pytest.raises(SpecError, match=f"did you mean '{named}'"):
        parse_overrides([assignment])


def test_a_search_without_a_budget_is_told_in_words() -> None:
    with pytest.raises(SpecError) as error:
        parse_search({"sampler": "tpe"})
    assert str(error.value) == "search: a search needs either trials or budget_seconds"


def test_long_values_are_cut_in_the_message() -> None:
    with pytest.raises(SpecError) as error:
        harness_spec("training.epochs=" + "9x" * 500)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--method", "lora", "--task", "sst2", "--base", "a" * 300], "unknown base 'aaa"),
        (
            ["run", "--method", "lora", "--task", "sst2", "--base", ""],
            "base.name: string should have at least 1 character",
        ),
        (["run", "--method", "lora", "--task", ""], "task.name: string should have at least 1 character"),
        (["run", "--method", "lora", "--task", "a" * 300], "unknown task 'aaa"),
        (["run", "--method", "lora", "--task", "sst2", "--set", f"training.epochs={DEEP}"], "too deeply"),
        (["list", "runs", "--results", "a" * 300], "can't read aaa"),
        (["list", "runs", "--results", ""], "is empty"),
        (["list", "runs", "--results", __file__], "Not a directory"),
        (["show", ""], "no finished run ''"),
        (["suite", "a" * 300], "can't read aaa"),
        (["suite", "."], "Is a directory"),
    ],
)
def test_what_is_no_name_and_no_path(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = harness(*arguments, cwd=tmp_path, HF_HUB_OFFLINE="1")
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_export_takes_an_empty_folder_only(tmp_path: Path) -> None:
    from harness.runs.export import export_run

    file = tmp_path / "file"
    file.touch()
    for place in (file, tmp_path, Path("/dev/null")):
        with pytest.raises(SpecError, match="not an empty folder"):
            export_run("x", place, tmp_path, merge=False)


def test_an_ascii_locale_stores_and_shows_any_text(tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text('tasks = ["sst2"]\n[methods."größer 漢"]\nname = "lora"\n', encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "HF_HUB_OFFLINE": "1"}
    done = harness("suite", str(suite), "--dry-run", "--results", str(tmp_path), **ascii_only)
    assert done.returncode == 0, done.stderr
    assert "gr\\u00f6\\u00dfer \\u6f22" in done.stdout
