"""A spec made ready: its base loaded, its method applied, nothing trained."""

from harness.core.spec import RunSpec
from harness.runs.adapted import Adapted, adapt, load_base
from harness.runs.resolve import resolve
from harness.task import Task


def ready(spec: RunSpec, task: Task | None = None, formulation: str | None = None, steps: int = 1) -> Adapted:
    """What training starts from, on another task or in another formulation than the spec's where they are given."""
    run = resolve(spec.model_copy(update={"formulation": formulation or spec.formulation}), task)
    return adapt(run, load_base(run), steps)
