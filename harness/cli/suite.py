"""`suite FILE`: a grid of runs, resumable and parallel."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, say, say_table
from harness.cli.follow import duration, follow
from harness.cli.options import RESULTS, Results, path
from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.suites.outcome import Outcome
    from harness.suites.plan import Costs, PlannedCell
    from harness.suites.suite import Suite, SuiteRun


def suite(
    file: Annotated[Path, typer.Argument(help="TOML file of axes; benchmarks/suites/ has examples.", parser=path)],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; the cores are shared out among them. Default: 1.")
    ] = None,
    executor: Annotated[str, typer.Option(help="Where the cells are run, see `list executors`.")] = "local",
    set_: Annotated[list[str] | None, typer.Option("--set", help="executor.NAME.field=value; may be repeated.")] = None,
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
    from harness.storage.store import Store
    from harness.suites.outcome import find_outcome
    from harness.suites.plan import Costs, plan
    from harness.suites.suite import expand, read_suite
    from harness.suites.tune import winners

    keep_examples()  # the plan needs the fingerprint of every seed's
    store, asked, chosen = Store(results), read_suite(file), _executor(executor, workers, set_ or [])
    cells = expand(asked)
    if asked.search:
        cells += winners(asked, _search(asked, chosen, results, dry_run), results, cells)
    planned = plan(cells, store, retry_failed)
    if dry_run:
        _print_plan(planned, Costs(store.records()), chosen.n_at_once)
        return
    if jobs := [job for cell in planned if (job := cell.job)]:
        with closing(chosen.run(jobs, results)) as events:
            follow(events, len(jobs), "cells")
    outcome = find_outcome(planned, store)
    _print_outcome(outcome)
    raise typer.Exit(int(outcome.lacks_results))


def _executor(name: str, workers: int | None, assignments: Sequence[str]) -> "Executor":
    """The chosen executor with the settings of the command line."""
    from harness.core.spec import parse_overrides
    from harness.executor import make_executor

    for assignment in assignments:
        if not assignment.strip().startswith(f"executor.{name}."):
            raise SpecError(
                f"--set of a suite sets fields of its executor, such as executor.{name}.field=value; got "
                f"{assignment!r} (what is run is set in the file)"
            )
    settings = parse_overrides(assignments).get("executor", {}).get(name, {})
    return make_executor(name, settings if workers is None else {**settings, "workers": workers})


def _search(asked: "Suite", executor: "Executor", results: Path, dry_run: bool) -> list["SuiteRun"]:
    """Search what is not searched yet; the cells that a search tunes."""
    from harness.suites.tune import all_found, searched_cells, study_jobs

    assert asked.search
    cells = searched_cells(asked)
    jobs = study_jobs(cells, asked.search, results)
    n_done = len(cells) - len(jobs)
    if dry_run:
        say(f"search: {len(cells)} studies of {asked.search.budget}, {n_done} done; winners of the others follow")
    elif jobs:
        with closing(executor.run(jobs, results)) as events:
            follow(all_found(events), len(cells), "studies", n_done)
    return cells


def _print_plan(planned: list["PlannedCell"], costs: "Costs", n_at_once: int) -> None:
    """One row for each group of seeds, then the sum."""
    from harness.suites.plan import STATES

    groups: dict[tuple[str, ...], list[PlannedCell]] = {}
    for cell in planned:
        spec = cell.spec
        key: tuple[str, ...] = (cell.label, spec.task.name, spec.base.name, spec.base.quantization)
        groups.setdefault(key, []).append(cell)
    rows = []
    for key, cells in groups.items():
        counts = Counter(cell.outlook for cell in cells)
        rows.append([*key, *(str(counts[state] or "") for state in STATES), _expected(cells, costs)])
    say_table(["method", "task", "base", "quantization", *STATES, "cost"], rows)
    say(f"{_counts(cell.outlook for cell in planned)}; expected: {_expected(planned, costs, n_at_once)}")
    _print_reasons((cell.outlook, cell.reason) for cell in planned)


def _expected(cells: list["PlannedCell"], costs: "Costs", n_at_once: int = 1) -> str:
    """Expected time of what is to run; says where no finished run tells it."""
    cost = costs.expected(cells, n_at_once)
    parts = [duration(cost.seconds)] if cost.n_known or not cost.n_unknown else []
    return " + ".join([*parts, f"{cost.n_unknown} unknown"] if cost.n_unknown else parts)


def _print_outcome(outcome: "Outcome") -> None:
    """The cells by status, and the reasons of those that gave no result."""
    for sentence in outcome.notes:
        note(sentence)
    say(_counts(status for status, _ in outcome.results))
    _print_reasons(outcome.results)


def _counts(states: Iterable[str]) -> str:
    counts = Counter(states)
    return f"{counts.total()} cells: " + ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def _print_reasons(results: Iterable[tuple[str, str | None]]) -> None:
    """Each reason once, with how many cells have it."""
    for (state, reason), number in sorted(Counter(results).items(), key=str):
        if reason:
            say(f"  {state} ({number}): " + reason.replace("\n", "\n    "))
