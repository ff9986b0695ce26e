"""Progress on stderr: a live line at a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class RunProgress:
    """The live line of one run: phase, steps, loss, metric, tokens a second, time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, detail="")
        self._validated = ""

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a phase of ``total`` steps."""
        self._progress.reset(self._task, description=name, total=total, detail="")

    def step(self, step: int, tokens: int, loss: float) -> None:
        """An optimizer step is done; ``tokens`` counts from the start of training."""
        elapsed = self._progress.tasks[0].elapsed or 0.0
        rate = f"{tokens / elapsed:,.0f} tokens/s" if elapsed else ""
        self._progress.update(self._task, completed=step, detail=f"loss {loss:.3f}  {self._validated}  {rate}")

    def validated(self, name: str, value: float) -> None:
        """Remember the latest validation metric for the line."""
        self._validated = f"{name} {value:.3f}"


@contextmanager
def run_progress(is_shown: bool = True) -> Iterator[RunProgress]:
    """A live line while the block runs; silent when stderr is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr)
    with Progress(
        *columns, console=console, transient=True, disable=not (is_shown and sys.stderr.isatty())
    ) as progress:
        yield RunProgress(progress)
