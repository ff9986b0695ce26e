"""Cross-validated runs: how they are told apart in a cell, and what is said of them."""

from collections.abc import Iterable

from harness.core.errors import SpecError
from harness.core.seeds import format_seeds
from harness.storage.record import Record


def replicate(run: Record) -> int:
    """The number of a run in its cell: its seed; in cross-validation ``seed · folds + fold``."""
    task = run.spec.task
    return run.spec.seed * task.folds + task.fold if task.folds else run.spec.seed


def format_runs(numbers: Iterable[int], folds: int | None) -> str:
    """Runs of a cell by their ``replicate``: seeds, in cross-validation each with its fold."""
    if not folds:
        return format_seeds(numbers)
    return ", ".join("{} fold {}".format(*divmod(number, folds)) for number in sorted(numbers))


def folds_sentence(records: Iterable[Record]) -> str:
    """How cross-validated cells are judged, for a legend; empty where there are none."""
    found = sorted({run.spec.task.folds for run in records if run.spec.task.folds})
    if not found:
        return ""
    return (
        f"Cross-validated: each seed has a run for each of {' or '.join(map(str, found))} folds of train and "
        "validation, of which one is its test. These runs learn from many of the same examples: intervals are widened "
        "for that and leads tested by the corrected resampled t-test over seeds and folds (Nadeau and Bengio 2003), "
        "whatever is said above of seeds and examples."
    )


def refuse_folds(records: Iterable[Record], what: str) -> None:
    """Raise SpecError where something that is asked for is not made for cross-validated runs."""
    if any(run.spec.task.folds for run in records):
        raise SpecError(f"{what} is not made for cross-validated runs, each of which is tested on other examples")
