"""Whatever is typed wrongly: exit code 2 and one message with what is allowed, for every command there is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer

from harness.cli.app import app, main
from harness.runs.resolve import Resolved

Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command line; returns the exit code and stderr."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err  # type: ignore[return-value]

    return run


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, with the words that call it."""
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        below = command.get_command(None, name)
        yield (*path, name), below
        yield from commands(below, (*path, name))


TREE = dict(commands(typer.main.get_command(app)))
LEAVES = {path: command for path, command in TREE.items() if not hasattr(command, "list_commands")}
GROUPS = [(), *(path for path in TREE if path not in LEAVES)]


def required(command: Any, but: Any = None) -> list[str]:
    """Words that fill in what a command requires, but for one parameter."""
    options = [[p.opts[0], "x"] for p in command.params if p.required and p is not but and p.opts[0].startswith("-")]
    arguments = [["x"] for p in command.params if p.required and p is not but and not p.opts[0].startswith("-")]
    return [word for words in (*options, *arguments) for word in words]


def test_the_tree_has_every_command() -> None:
    assert {"run", "suite", "table", "list"} <= {path[0] for path in LEAVES}
    assert ("plot", "pareto") in LEAVES
    assert ("plot",) in GROUPS


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_unknown_option(typed: Typed, path: tuple[str, ...]) -> None:
    code, message = typed(*path, *required(LEAVES[path]), "--resluts", "x")
    assert code == 2
    assert message.startswith("error: no such option: --resluts")
    assert ("--results" not in message) or "did you mean '--results'?" in message
    assert "--help" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_missing(typed: Typed, path: tuple[str, ...]) -> None:
    for parameter in LEAVES[path].params:
        if parameter.required:
            code, message = typed(*path, *required(LEAVES[path], but=parameter))
            assert code == 2
            assert message.startswith("error: missing ")
            assert message.count("\n") == 1
        if parameter.opts[0].startswith("--") and not parameter.is_flag:
            code, message = typed(*path, parameter.opts[0])
            assert (code, message.count("\n")) == (2, 1)
            assert f"option '{parameter.opts[0]}' requires an argument" in message


CHECKED_WITH_THE_SPEC = {"quantization", "sampler", "pruner", "seeds", "objectives"}
"""Texts to the command line, names from a closed set to the specification, which tells all its problems at once."""


def takes_any_text(hint: Any) -> bool:
    """Whether an annotation admits every word."""
    return bool({str, bool, Path} & set(parts(hint)))


def parts(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Literal:
        yield Literal
    elif inner := get_args(hint):
        for part in inner:
            yield from parts(part)
    else:
        yield hint


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_ill_typed(typed: Typed, path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    hints = get_type_hints(command.callback)
    for parameter in command.params:
        if parameter.name not in CHECKED_WITH_THE_SPEC and takes_any_text(hints[parameter.name]):
            continue
        name = parameter.opts[0]
        wrong = [name, "?"] if name.startswith("-") else ["?"]
        code, message = typed(*path, *required(command, but=parameter), *wrong)
        assert code == 2, (name, message)
        assert "'?'" in message
        assert name.strip("-") in message
        assert any(words in message for words in ("allowed: ", "must be one of", "number", "integer"))
        assert "Traceback" not in message


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_unknown_command(typed: Typed, group: tuple[str, ...]) -> None:
    names = [path[-1] for path in TREE if path[:-1] == group]
    code, message = typed(*group, names[0] + "x")
    assert (code, message.count("\n")) == (2, 1)
    assert f"did you mean {names[0]!r}?" in message
    assert all(name in message for name in names)


def test_without_a_command_the_commands_are_shown(typed: Typed) -> None:
    for group in GROUPS:
        code, message = typed(*group)
        assert code == 2
        assert "Usage: " in message


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        ("run --metod lora", "--method"),
        ("table --format htm", "html"),
        ("list method", "methods"),
        ("plot pareto --cost memory", "peak_memory_bytes"),
        ("run --method lora --task sst2 --quantization int4", "4bit"),
        ("search --method lora --task sst2 --trials 1 --sampler TPE", "tpe"),
        ("search --method lora --task sst2 --trials 1 --pruner hyperbnd", "hyperband"),
    ],
)
def test_the_nearest_name(typed: Typed, arguments: str, nearest: str) -> None:
    code, message = typed(*arguments.split())
    assert code == 2
    assert f"did you mean '{nearest}'?" in message


@pytest.mark.parametrize(
    "arguments",
    ["run lora", "run --method lora --task sst2 again", "run --method lora --task sst2 --force=yes", "-x", "--version"],
)
def test_more_than_is_taken(typed: Typed, arguments: str) -> None:
    code, message = typed(*arguments.split())
    assert (code, message.count("\n")) == (2, 1)


@pytest.mark.parametrize(("status", "expected"), [("ok", 0), ("diverged", 0), ("failed", 1), ("out_of_memory", 1)])
def test_a_run_without_a_result_is_exit_code_1(
    typed: Typed, status: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What diverged is a result, as for a suite."""
    import harness.runs.run
    from harness.storage.record import Record

    def stored(resolved: Resolved, results: Path, **_options: object) -> Record:
        times = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:00:00+00:00"}
        return Record.model_validate({"run_id": "a" * 12, "status": status, "spec": resolved.spec, **times})

    monkeypatch.setattr(harness.runs.run, "run", stored)
    assert typed("run", "--method", "lora", "--task", "sst2", "--results", str(tmp_path))[0] == expected
