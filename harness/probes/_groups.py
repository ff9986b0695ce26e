"""The group of each example."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.errors import SpecError
from harness.data import tables
from harness.data.examples import is_missing, text_of
from harness.task import Example, Task


def by_pattern(patterns: Mapping[str, str], task: Task, examples: Sequence[Example]) -> list[str | None]:
    """The one group whose pattern is in an example's texts, whatever their case."""
    found = []
    for example in examples:
        text = " ".join(example.fields[column] for column in task.text)
        names = [name for name, pattern in patterns.items() if re.search(pattern, text, re.IGNORECASE)]
        found.append(names[0] if len(names) == 1 else None)
    return found


def from_file(file: str, column: str, task: Task, examples: Sequence[Example]) -> list[str | None]:
    """The group that a file gives an example's texts; None where it gives none, or two.

    Raises:
        SpecError: a column is missing, or no example's texts are there.
    """
    wanted = [*task.text, column]
    table = tables.read(Path(file), wanted)
    if missing := [name for name in wanted if name not in table.columns]:
        raise SpecError(f"{file} has no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    groups: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in table.rows:
        if not is_missing(row[column]):
            groups[tuple(text_of(row[name]) for name in task.text)].add(text_of(row[column]))
    found = [groups.get(tuple(example.fields[name] for name in task.text), set()) for example in examples]
    if not any(found):
        raise SpecError(f"{file} has the texts of no test example")
    return [next(iter(names)) if len(names) == 1 else None for names in found]
