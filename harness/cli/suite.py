"""`suite FILE`: a grid of runs, resumable and parallel."""

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import console, note, one_line, printable, say, say_table
from harness.cli.options import RESULTS, Results, path

if TYPE_CHECKING:
    from rich.progress import Progress

    from harness.executors.local import Job
    from harness.storage.record import Record
    from harness.storage.store import Store
    from harness.suites.plan import Costs, PlannedCell, State
    from harness.suites.suite import Cell, Suite


def suite(
    file: Annotated[Path, typer.Argument(help="TOML file of axes; benchmarks/suites/ has examples.", parser=path)],
    workers: Annotated[int, typer.Option(min=1, help="Local processes; the cores are shared out among them.")] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Repeat failed and out-of-memory cells.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and its expected cost; run nothing.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Run every cell of a suite that is not done yet; stop it at any time, call it again and it goes on.

    Exit code 1 if a cell failed or its data is out of reach. A run repeats bit by bit only with as many threads,
    which is the cores divided by the workers and stands in its record.
    """
    from harness.data import keep_examples
    from harness.executors.local import Job
    from harness.storage.store import Store
    from harness.suites.plan import Costs, plan
    from harness.suites.suite import expand, read_suite

    keep_examples()  # the plan needs the fingerprint of every seed's
    store, asked = Store(results), read_suite(file)
    cells = expand(asked)
    if asked.search:
        cells += _winners(asked, cells, results, workers, dry_run)
    planned = plan(cells, store, retry_failed)
    if dry_run:
        _print_plan(planned, Costs(store.records()), workers)
        return
    jobs = [Job(cell.run_id, cell.spec) for cell in planned if cell.state == "to run" and cell.run_id]
    if jobs:
        _run(jobs, results, workers)
    raise typer.Exit(_print_outcome(planned, store))


def _winners(asked: "Suite", defaults: list["Cell"], results: Path, workers: int, dry_run: bool) -> list["Cell"]:
    """Search what is not searched yet; the winners' cells, without those that the defaults have."""
    from harness.suites.suite import expand_studies
    from harness.suites.tune import find_study, searchable, tune, tuned_cells

    assert asked.search
    studies = searchable(expand_studies(asked))
    n_done = sum(find_study(cell, asked.search, results) is not None for cell in studies)
    if dry_run:
        say(f"search: {len(studies)} studies of {asked.search.budget}, {n_done} done; winners of the others follow")
    else:
        for number, study in enumerate(tune(studies, asked.search, results, workers), n_done + 1):
            best = f"trial {study.best[0]} is the best" if study.best else "every trial failed"
            note(f"({number}/{len(studies)}) {study.name}: {len(study.completed)} trials, {best}")
    known = {cell.spec for cell in defaults}
    return [cell for cell in tuned_cells(studies, asked.seeds, asked.search, results) if cell.spec not in known]


def _run(jobs: list["Job"], results: Path, workers: int) -> None:
    """Run the jobs with progress on stderr: live on a terminal, else one line for each that ends."""
    from harness.executors.local import run_jobs

    statuses: Counter[str] = Counter()
    n_running = 0
    with _progress() as progress, closing(run_jobs(jobs, results, workers)) as events:
        bar = progress.add_task("", total=len(jobs))
        try:
            for event in events:
                if event.record is None:
                    n_running += 1
                else:
                    n_running -= 1
                    statuses[event.record.status] += 1
                    line = printable(one_line(_line(event.record, statuses.total(), len(jobs))))
                    progress.console.print(line, soft_wrap=True)
                failed = statuses.total() - statuses["ok"] - statuses["skipped"]
                text = f"{n_running} running, {failed} failed"
                progress.update(bar, completed=statuses.total(), description=text)
        except KeyboardInterrupt:
            left = len(jobs) - statuses.total()
            progress.console.print(f"stopped with {left} of {len(jobs)} cells left; the same command goes on from here")
            raise


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
    # All cells so far tell the time left: the last 30 seconds, rich's default, seldom hold two of them.
    return Progress(
        *columns,
        *times,
        console=console("stderr"),
        disable=not sys.stderr.isatty(),
        speed_estimate_period=float("inf"),
    )


def _line(record: "Record", number: int, total: int) -> str:
    """What is printed when a run ends: where it stands, what it was, how it went."""
    spec, score = record.spec, record.metric()
    cell = f"{spec.method.name} {spec.task.name} {spec.base.name} {spec.base.quantization} seed {spec.seed}"
    result = f"{record.primary_metric} {score:.4f}" if score is not None else record.reason or ""
    return (
        f"({number}/{total}) {record.status} {record.run_id} {cell}: {result} ({_duration(record.cost.total_seconds)})"
    )


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 0:01:05."""
    return str(timedelta(seconds=round(seconds)))


def _print_plan(planned: list["PlannedCell"], costs: "Costs", workers: int) -> None:
    """One row for each group of seeds, then the sum."""
    states: tuple[State, ...] = ("done", "to run", "failed", "skipped", "unavailable")
    groups: dict[tuple[str, ...], list[PlannedCell]] = {}
    for cell in planned:
        spec = cell.spec
        key: tuple[str, ...] = (cell.label, spec.task.name, spec.base.name, spec.base.quantization)
        groups.setdefault(key, []).append(cell)
    rows = []
    for key, cells in groups.items():
        counts = Counter(cell.outlook for cell in cells)
        rows.append([*key, *(str(counts[state] or "") for state in states), _expected(cells, costs, 1)])
    say_table(["method", "task", "base", "quantization", *states, "cost"], rows)
    say(f"{_counts(cell.outlook for cell in planned)}; expected: {_expected(planned, costs, workers)}")
    _print_reasons((cell.outlook, cell.reason) for cell in planned)


def _expected(cells: list["PlannedCell"], costs: "Costs", workers: int) -> str:
    """Expected time of what is to run, split over the workers; says where no finished run tells it."""
    to_run = [cell for cell in cells if cell.outlook == "to run"]
    known = [seconds for cell in to_run if (seconds := costs.expected_seconds(cell.spec)) is not None]
    unknown = len(to_run) - len(known)
    parts = [_duration(sum(known) / workers)] if known or not to_run else []
    return " + ".join([*parts, f"{unknown} unknown"] if unknown else parts)


def _print_outcome(planned: list["PlannedCell"], store: "Store") -> int:
    """The cells by status, the reasons of those that gave no result; returns the exit code."""
    records = [store.find(cell.run_id) for cell in planned if cell.run_id]
    for sentence in dict.fromkeys(
        f"{record.spec.task.name}: {sentence}" for record in records if record for sentence in record.data.notes()
    ):
        note(sentence)
    results: list[tuple[str, str | None]] = [(record.status, record.reason) for record in records if record]
    results += [("unavailable", cell.reason) for cell in planned if cell.state == "unavailable"]
    say(_counts(status for status, _ in results))
    _print_reasons(results)
    return int(any(status in ("failed", "out_of_memory", "unavailable") for status, _ in results))


def _counts(states: Iterable[str]) -> str:
    counts = Counter(states)
    return f"{counts.total()} cells: " + ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def _print_reasons(results: Iterable[tuple[str, str | None]]) -> None:
    """Each reason once, with how many cells have it."""
    for (state, reason), number in sorted(Counter(results).items(), key=str):
        if reason:
            say(f"  {state} ({number}): " + reason.replace("\n", "\n    "))
