"""Tests of other tasks, asked as if they were this task's: what a model learned here is worth elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.core.spec import TaskSpec
from harness.data.examples import fields_of
from harness.data.leakage import overlap
from harness.data.tasks import find_task
from harness.storage.record import DataInfo
from harness.task import Example, Task


@dataclass(frozen=True)
class OutOfDomain:
    """The test of another task, with this task's field names; ``targets`` are the other's."""

    name: str
    examples: list[Example]
    info: DataInfo

    def described(self, train: list[Example]) -> dict[str, str | int]:
        """What the record says of it: where it is from, and how many of its texts are trained on."""
        return {
            "source": self.info.source,
            "fingerprint": self.info.fingerprint,
            "size": len(self.examples),
            "overlap": overlap(train, self.examples),
        }


def read(task: Task, spec: TaskSpec, seed: int) -> Iterator[OutOfDomain]:
    """The tests that ``task.also_test`` names.

    Raises:
        SourceError: no source has one of them.
    """
    from harness import data

    for name in task.also_test:
        other = find_task(name)
        splits, info = data.load(other, TaskSpec(name=name, test_limit=spec.test_limit), seed)
        yield OutOfDomain(name, [_renamed(task, other, example) for example in splits.test], info)


def _renamed(task: Task, other: Task, example: Example) -> Example:
    """The other's texts in the columns of this task, with what its own templates need besides."""
    texts = {column: example.fields[theirs] for column, theirs in zip(task.text, other.text, strict=True)}
    return replace(example, fields=fields_of(task, texts))
