"""The examples of a task: from the first source that has them, split by the protocol, limited, fingerprinted."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from harness.core.errors import SpecError
from harness.core.spec import TaskSpec
from harness.storage.record import DataInfo
from harness.task import Example, Found, Splits, Task


def load(task: Task, spec: TaskSpec, seed: int) -> tuple[Splits, DataInfo]:
    """The examples of one run.

    ``seed`` decides only which training examples a limit keeps: validation and test are the same for every seed, so
    that all seeds are judged on the same examples. In cross-validation it decides how the folds are cut.

    Raises:
        SourceError: no source has the task, or what it has can't be read as this task.
        SpecError: the training examples have one class or one value, are too few for the folds or the limit, or
            ``task.path`` is given for one's own file.
    """
    from harness.data import protocol

    place, splits, kind, dropped, left_out = _whole(task, spec.path)
    if spec.folds:
        left_out = left_out | {"examples of the task's own test, as in cross-validation,": len(splits.test)}
        splits, kind = protocol.cross_validate(task, splits, spec.folds, spec.fold, seed), "folds"
    splits = protocol.limit(task, splits, spec, seed)
    protocol.check_targets(task, splits.train)
    sizes = {"train": len(splits.train), "validation": len(splits.validation), "test": len(splits.test)}
    return splits, DataInfo(
        source=place,
        protocol=kind,
        fingerprint=protocol.fingerprint(splits, task.labels if task.own else ()),
        sizes=sizes,
        dropped_duplicates=dropped,
        left_out=left_out,
    )


def scaled(task: Task, train: Sequence[Example]) -> Task:
    """The task with the scale of the targets it is trained on, where no one has said what it is."""
    if task.own is None or task.kind != "regression":
        return task
    targets = [example.target for example in train if isinstance(example.target, float)]
    return task.model_copy(update={"value_range": (min(targets), max(targets))})


Whole = tuple[str, Splits, Literal["official", "carved", "folds"], int, dict[str, int]]
_KEPT: dict[tuple[Task, str | None], Whole] = {}
_keeps_examples = False


def keep_examples() -> None:
    """From now on keep the last task read: for a process that makes many runs on files that stay as they are."""
    global _keeps_examples
    _keeps_examples = True


def _whole(task: Task, path: str | None) -> Whole:
    """All examples of a task: where they came from, the splits, their protocol, what was dropped and left out."""
    from harness.data import protocol

    if (task, path) in _KEPT:
        return _KEPT[task, path]
    place, found = _found(task, path)
    whole = (place, *protocol.split(task, found.splits), dict(found.left_out))
    if _keeps_examples:
        _KEPT.clear()
        _KEPT[task, path] = whole
    return whole


def _found(task: Task, path: str | None) -> tuple[str, Found]:
    from harness.data import examples, sources

    if task.own is None:
        source = sources.read(task, path)
        left_out: Counter[str] = Counter()
        built = {split: examples.build(task, rows, split, left_out) for split, rows in source.splits.items()}
        return source.place, Found(built, left_out)
    if path is not None:
        raise SpecError(f"task.path is for registered tasks; {task.name} names its own files")
    return f"file {task.name}", task.own
