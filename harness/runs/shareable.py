"""Whether several processes can train a run."""

from harness.core.errors import SpecError
from harness.runs.resolve import Resolved


def check_shareable(run: Resolved, n: int, is_watched: bool, is_kept: bool) -> None:
    """Refuse what would not be the run that one process makes.

    Args:
        run: What is to be trained.
        n: Processes.
        is_watched: Whether validations are told to a search, which is one process.
        is_kept: Whether checkpoints are asked for.

    Raises:
        SpecError: a recipe or the size of a step forbids it.
    """
    if is_watched:
        raise SpecError(f"a search is one process; {n} can share a run only")
    if is_kept:
        raise SpecError(f"--checkpoint-every keeps the state of one process; {n} were started")
    if alone := [recipe.name for recipe in run.recipes if not recipe.is_shareable]:
        raise SpecError(f"recipe {alone[0]} needs all examples of a step in one process; {n} were started")
    training = run.spec.training
    n_rows = training.batch_size * training.accumulation_steps
    if run.method.trains and n_rows < n:
        raise SpecError(
            f"{n} processes share the {n_rows} examples of a step, so some would have none; start at most {n_rows}, "
            "or raise training.batch_size"
        )
