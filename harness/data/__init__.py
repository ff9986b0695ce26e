"""The examples of a task: from the first source that has them, split by the protocol, limited, fingerprinted."""

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
    from harness.data import examples, protocol, sources

    source = sources.read(task, spec.path)
    found = {split: examples.build(task, rows, split) for split, rows in source.splits.items()}
    splits, kind, dropped = protocol.split(task, found)
    splits = protocol.limit(task, splits, spec, seed)
    protocol.check_classes(task, splits.train)
    sizes = {"train": len(splits.train), "validation": len(splits.validation), "test": len(splits.test)}
    return splits, DataInfo(
        source=source.place,
        protocol=kind,
        fingerprint=protocol.fingerprint(splits),
        sizes=sizes,
        dropped_duplicates=dropped,
    )
