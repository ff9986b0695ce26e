"""Tasks by name: registered ones, and one's own files."""

from harness.core.errors import HarnessError
from harness.data.own import own_task_named
from harness.metric import check_metrics
from harness.task import TASKS, Task


def is_own(name: str) -> bool:
    """Whether a task's name is that of a user's own file."""
    return "." in name.partition("?")[0]


def find_task(name: str) -> Task:
    """A task, by its file's name in benchmarks/; or one's own, by its data's or description's file name.

    Raises:
        SpecError: an unknown name, or a file that can't be read as a task.
        HarnessError: the file in benchmarks/ declares another name.
    """
    if is_own(name):
        task = own_task_named(name)
    else:
        task = TASKS.find(name)
        if task.name != name:
            raise HarnessError(f"the file of task {name!r} must define TASK = Task(name={name!r}, …)")
    check_metrics(task.metrics, task.kind, len(task.labels))
    return task
