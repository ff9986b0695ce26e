"""The jobs of a suite as they are done: live on a terminal, else one line for each that ends."""

import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from harness.cli.console import console, one_line, printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from harness.executor import Event
    from harness.search.record import StudyRecord
    from harness.storage.record import Record


def follow(events: Iterable["Event"], total: int, what: str, n_done: int = 0) -> None:
    """Tell on stderr how jobs go.

    Args:
        events: Of an executor.
        total: Jobs there are, with those that were done before.
        what: The jobs in a word, such as cells.
        n_done: How many were done before.
    """
    n_ended, n_running, n_failed = n_done, 0, 0
    with _progress() as progress:
        bar = progress.add_task("", total=total)
        try:
            for event in events:
                if event.has_ended:
                    n_ended, n_running = n_ended + 1, n_running - 1
                    status, line = told(event)
                    n_failed += status not in ("ok", "skipped")
                    progress.console.print(printable(one_line(f"({n_ended}/{total}) {line}")), soft_wrap=True)
                else:
                    n_running += 1
                text = f"{n_running} running, {n_failed} failed"
                progress.update(bar, completed=n_ended, description=text)
        except KeyboardInterrupt:
            left = f"{total - n_ended} of {total} {what} left"
            progress.console.print(f"stopped with {left}; the same command goes on from here")
            raise


def told(event: "Event") -> tuple[str, str]:
    """How a job ended: its status, and what is told of it."""
    from harness.storage.record import Record

    if event.result is None:
        return "failed", f"failed {event.job.id}: {event.problem}"
    if isinstance(event.result, Record):
        return event.result.status, _of_run(event.result)
    return "ok", _of_study(event.result)


def _of_run(record: "Record") -> str:
    """What it was and how it went."""
    spec, score = record.spec, record.metric()
    fold = f" fold {spec.task.fold}" if spec.task.folds else ""
    method = (record.label or spec.method.name) + (f" with {spec.recipe}" if spec.recipes else "")
    cell = f"{method} {spec.task.name} {spec.base.name} {spec.base.quantization} seed {spec.seed}{fold}"
    result = f"{record.primary_metric} {score:.4f}" if score is not None else record.reason or ""
    return f"{record.status} {record.run_id} {cell}: {result} ({duration(record.cost.total_seconds)})"


def _of_study(study: "StudyRecord") -> str:
    best = f"trial {study.best[0]} is the best" if study.best else "every trial failed"
    return f"{study.name}: {len(study.trials)} trials, {best}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 0:01:05."""
    return str(timedelta(seconds=round(seconds)))


def _progress() -> "Progress":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    # All jobs so far tell the time left: the last 30 seconds, rich's default, seldom hold two of them.
    return Progress(
        *columns,
        *times,
        console=console("stderr"),
        disable=not sys.stderr.isatty(),
        speed_estimate_period=float("inf"),
    )
