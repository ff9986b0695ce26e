"""Pairs of texts from a user's file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import SpecError, unknown
from harness.data.examples import fields_of
from harness.task import Example, Task

NEEDED = {
    "invariance": (),
    "directional": ("label", "direction"),
    "contrast": ("target", "changed_target"),
}
"""What a test's line has beside test, text and changed."""


@dataclass(frozen=True)
class Pair:
    """Two examples, and what is said of their answers."""

    test: str
    text: Example
    changed: Example
    label: int = 0
    direction: str = ""


def read_pairs(file: str, task: Task) -> list[Pair]:
    """The pairs of a file of JSON lines; a text is an object of the task's columns where it reads two.

    Raises:
        SpecError: no such file, or a line that is wrong.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SpecError(f"checklist.file: can't read {file!r}: {error}") from None
    pairs = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                pairs.append(_pair(json.loads(line), task, number))
        except (ValueError, TypeError, KeyError, SpecError) as error:
            raise SpecError(f"{file}, line {number}: {_why(error)}") from None
    if not pairs:
        raise SpecError(f"{file} has no pair; each line is a JSON object of test, text and changed")
    return pairs


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _pair(given: dict[str, Any], task: Task, number: int) -> Pair:
    test = given["test"]
    if test not in NEEDED:
        raise unknown("test", str(test), NEEDED)
    if extra := given.keys() - {"test", "text", "changed", *NEEDED[test]}:
        raise SpecError(f"{', '.join(sorted(extra))} is not for {test}")
    needed = {name: given[name] for name in NEEDED[test]}
    if needed.get("direction", "up") not in ("up", "down"):
        raise SpecError(f"direction must be up or down; got {needed['direction']!r}")
    labels = {name: _label(task, needed[name]) for name in needed if name != "direction"}
    first, second = (
        Example(f"line {number}/{side}", fields_of(task, _texts(task, given[side])), labels.get(target, 0))
        for side, target in (("text", "target"), ("changed", "changed_target"))
    )
    return Pair(test, first, second, labels.get("label", 0), needed.get("direction", ""))


def _texts(task: Task, given: Any) -> dict[str, Any]:
    texts = given if isinstance(given, dict) else {task.text[0]: given}
    if texts.keys() != set(task.text):
        raise SpecError(f"a text of {task.name} is an object of {' and '.join(task.text)}")
    return texts


def _label(task: Task, name: Any) -> int:
    if name not in task.labels:
        raise unknown("label", str(name), task.labels)
    return task.labels.index(name)
