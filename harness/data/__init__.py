"""The examples of a task: from the first source that has them, split by the protocol, limited, fingerprinted."""

from typing import Literal

from harness.record import DataInfo
from harness.spec import TaskSpec
from harness.task import Splits, Task


def load(task: Task, spec: TaskSpec, seed: int) -> tuple[Splits, DataInfo]:
    """The examples of one run.

    ``seed`` decides only which training examples a ``train_limit`` keeps: validation and test are the same for every
    seed, so that all seeds are judged on the same examples.

    Raises:
        SourceError: no source has the task, or what it has can't be read as this task.
        SpecError: the training examples have one class, or are too few to split.
    """
    from harness.data import protocol

    place, splits, kind, dropped = _whole(task, spec.path)
    splits = protocol.limit(task, splits, spec, seed)
    protocol.check_classes(task, splits.train)
    sizes = {"train": len(splits.train), "validation": len(splits.validation), "test": len(splits.test)}
    return splits, DataInfo(
        source=place,
        protocol=kind,
        fingerprint=protocol.fingerprint(splits),
        sizes=sizes,
        dropped_duplicates=dropped,
    )


Whole = tuple[str, Splits, Literal["official", "carved"], int]
_KEPT: dict[tuple[str, str | None], Whole] = {}
_keeps_examples = False


def keep_examples() -> None:
    """From now on keep the last task read: for a process that makes many runs on files that stay as they are."""
    global _keeps_examples
    _keeps_examples = True


def _whole(task: Task, path: str | None) -> Whole:
    """All examples of a task: where they came from, the splits, their protocol, the duplicates dropped."""
    from harness.data import examples, protocol, sources

    if (task.name, path) in _KEPT:
        return _KEPT[task.name, path]
    source = sources.read(task, path)
    found = {split: examples.build(task, rows, split) for split, rows in source.splits.items()}
    whole = (source.place, *protocol.split(task, found))
    if _keeps_examples:
        _KEPT.clear()
        _KEPT[task.name, path] = whole
    return whole
