"""Training examples of another task, asked as a run asks its own."""

from harness import data
from harness.core.errors import Unsupported
from harness.core.spec import TaskSpec
from harness.data.leakage import loose_key
from harness.data.tasks import find_task
from harness.formulation import BoundFormulation, make_formulation
from harness.recipe import Beside
from harness.task import Task


def read_beside(mine: BoundFormulation, judged: frozenset[str], name: str, limit: int | None) -> Beside:
    """The examples of another task, without those whose text the run is judged on.

    Args:
        mine: The run's formulation.
        judged: What ``loose_key`` makes of the texts that the run is judged on.
        name: The other task.
        limit: Examples at most, drawn by the run's seed.

    Raises:
        SpecError: an unknown task.
        SourceError: no source has it.
        Unsupported: the run's formulation can't ask it.
    """
    spec = mine.spec
    task = find_task(name)
    declared = make_formulation(spec.formulation, mine.base.info, mine.task, trains=True)
    if task.kind not in declared.kinds:
        raise Unsupported(f"{name} is a {task.kind} task, which formulation {declared.name} can't ask")
    splits, _ = data.load(task, TaskSpec(name=name, train_limit=limit), spec.seed)
    train = [example for example in splits.train if loose_key(example) not in judged]
    task = data.scaled(task, train)
    bound = declared.bound(task)(task, mine.base, spec, mine.scoring, mine.n_virtual_tokens)
    own = 0 if not declared.has_head or _alike(task, mine.task) else declared.n_outputs(task)
    return Beside(bound, bound.encode_training(train), len(splits.train) - len(train), own)


def _alike(one: Task, other: Task) -> bool:
    """Whether the outputs of a head mean the same in both."""
    same = one.kind == other.kind and one.labels == other.labels and one.value_range == other.value_range
    return same and (bool(one.labels) or one.kind == "multiple_choice")
