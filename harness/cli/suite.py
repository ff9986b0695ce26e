"""`suite FILE`: a grid of runs, resumable and parallel."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, say, say_table
from harness.cli.follow import duration, follow
from harness.cli.options import RESULTS, CheckpointEvery, Results, Track, path
from harness.core.errors import SpecError
from harness.libraries.trackers import check_installed

if TYPE_CHECKING:
    from harness.executor import Executor
    from harness.suites.outcome import Outcome
    from harness.suites.plan import Costs, Expected, PlannedCell
    from harness.suites.race import Race
    from harness.suites.shard import Shard
    from harness.suites.suite import Suite, SuiteRun

WORDS = {"best": "best", "tied": "may be the best too", "worse": "worse", "not compared": "not compared"}
"""Standings in a race as they are told, with the number of seeds in brackets."""


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
    shard: Annotated[
        str | None, typer.Option(help="i/n: the i-th of n equal parts of the cells, as for an array of jobs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and its expected cost; run nothing.")
    ] = False,
    checkpoint_every: CheckpointEvery = None,
    tracker: Track = None,
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
    from harness.suites.race import Race
    from harness.suites.shard import shard_of
    from harness.suites.suite import expand, read_suite
    from harness.suites.tune import winners

    if tracker:
        check_installed(tracker)
    keep_examples()  # the plan needs the fingerprint of every seed's
    store, asked, chosen = Store(results), read_suite(file), _executor(executor, workers, set_ or [])
    part = shard_of(shard, asked)
    cells = part.share(expand(asked))
    if asked.search:
        cells += winners(asked, _search(asked, part, chosen, results, dry_run, checkpoint_every), results, cells)
    planned = plan(cells, store, retry_failed)
    race = Race(asked, planned, results) if asked.race else None
    if dry_run:
        _print_plan(planned, Costs(store.records()), chosen.n_at_once, race)
        if submission := chosen.submission(results):
            say(f"each cell is submitted with:\n{submission}")
        return
    for cells_of_round in race.rounds() if race else [planned]:
        jobs = [
            replace(job, checkpoint_every=checkpoint_every, tracker=tracker)
            for cell in cells_of_round
            if (job := cell.job)
        ]
        if jobs:
            with closing(chosen.run(jobs, results)) as events:
                follow(events, len(jobs), "cells")
    outcome = find_outcome(race.wanted(race.now()) if race else planned, store)
    _print_outcome(outcome)
    if race:
        _print_races(race)
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


def _search(
    asked: "Suite", part: "Shard", executor: "Executor", results: Path, dry_run: bool, checkpoint_every: int | None
) -> list["SuiteRun"]:
    """Search what is not searched yet; the cells that a search tunes."""
    from harness.suites.tune import all_found, searched_cells, study_jobs

    assert asked.search
    cells = part.share(searched_cells(asked))
    jobs = [replace(job, checkpoint_every=checkpoint_every) for job in study_jobs(cells, asked.search, results)]
    n_done = len(cells) - len(jobs)
    if dry_run:
        say(f"search: {len(cells)} studies of {asked.search.budget}, {n_done} done; winners of the others follow")
    elif jobs:
        with closing(executor.run(jobs, results)) as events:
            follow(all_found(events), len(cells), "studies", n_done)
    return cells


def _print_plan(planned: list["PlannedCell"], costs: "Costs", n_at_once: int, race: "Race | None") -> None:
    """One row for each group of seeds, then the sum; of a race what it may need at most, and what is expected."""
    from harness.suites.plan import STATES

    chances = race.chances(race.now()) if race else [(cell, 1.0) for cell in planned]
    planned = [cell for cell, _ in chances]

    groups: dict[tuple[str, ...], list[PlannedCell]] = {}
    for cell in planned:
        spec = cell.spec
        key: tuple[str, ...] = (cell.label, spec.task.name, spec.base.name, spec.base.quantization)
        groups.setdefault(key, []).append(cell)
    rows = []
    for key, cells in groups.items():
        counts = Counter(cell.outlook for cell in cells)
        rows.append([*key, *(str(counts[state] or "") for state in STATES), _told(costs.expected(cells))])
    say_table(["method", "task", "base", "quantization", *STATES, "cost"], rows)
    bound = "at most" if race else "expected"
    say(f"{_counts(cell.outlook for cell in planned)}; {bound}: {_told(costs.expected(planned, n_at_once))}")
    if race and any(cell.outlook == "to run" for cell in planned):
        _print_expected_race(chances, costs, n_at_once)
    _print_reasons((cell.outlook, cell.reason) for cell in planned)


def _print_expected_race(chances: list[tuple["PlannedCell", float]], costs: "Costs", n_at_once: int) -> None:
    from harness.suites.race import expected_cost
    from harness.suites.race_power import SPREAD

    n_runs, cost = expected_cost(chances, costs, n_at_once)
    say(
        f"race: about {n_runs:.0f} of them expected: {_told(cost)}, if the true scores of methods vary by "
        f"{100 * SPREAD:g} points (their standard deviation)"
    )


def _print_races(race: "Race") -> None:
    """What each comparison has decided, and how many of its runs that took."""
    for each in race.now():
        for comparison in each.comparisons:
            standings: dict[str, list[str]] = {}
            for cell in comparison.cells:
                standings.setdefault(cell.standing or "not compared", []).append(f"{cell.label} ({cell.n_seeds})")
            told = "; ".join(
                f"{WORDS[standing]}: {', '.join(standings[standing])}" for standing in WORDS if standing in standings
            )
            n_runs, n_all = sum(cell.n_seeds for cell in comparison.cells), len(comparison.cells) * len(each.seeds)
            end = comparison.end or "not finished"
            say(f"race, {', '.join(comparison.setting.values())}: {end} at look {comparison.look} of {len(each.looks)}")
            say(f"  {told}")
            say(f"  {n_runs} of {n_all} runs")


def _told(cost: "Expected") -> str:
    """Expected time; says where no finished run tells it."""
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
