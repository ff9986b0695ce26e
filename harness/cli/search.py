"""``harness search``: an Optuna study of one cell."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, CheckpointEvery, Recipes, Results
from harness.core.toml import split_names

if TYPE_CHECKING:
    from harness.search.record import StudyRecord, TrialRecord


def search(
    method: Annotated[str, typer.Option(help="Method, see `list methods`.")],
    task: Annotated[str, typer.Option(help="Task, see `list tasks`.")],
    base: Annotated[str, typer.Option(help="Base, see `list bases`; a local folder or a hub id works too.")] = "minilm",
    quantization: Annotated[str, typer.Option(help="none, 8bit or 4bit.")] = "none",
    trials: Annotated[int | None, typer.Option(help="Trials that ended, pruned and failed ones included.")] = None,
    budget_seconds: Annotated[float | None, typer.Option(help="Seconds of trials, instead of --trials.")] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random, qmc, gp, cmaes or grid.")] = "tpe",
    pruner: Annotated[
        str | None,
        typer.Option(help="none, median, hyperband or wilcoxon; default: median, none with several objectives."),
    ] = None,
    objectives: Annotated[str, typer.Option(help="Of quality and the quantities, see `list probes`.")] = "quality",
    constraint: Annotated[
        list[str] | None,
        typer.Option(help="Bound that the best must keep, as general_loss_increase_nats<=0.05; may be repeated."),
    ] = None,
    probe: Annotated[list[str] | None, typer.Option(help="Measure this too, see `list probes`; repeatable.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of each trial's runs, comma-separated.")] = "0",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.field=value, held fixed; may be repeated.")
    ] = None,
    recipe: Recipes = None,
    storage: Annotated[str | None, typer.Option(help="Database URL that several machines share.")] = None,
    checkpoint_every: CheckpointEvery = None,
    results: Results = RESULTS,
) -> None:
    """Tune a method on a task; the published default is the first trial.

    The same command goes on with an interrupted study, or with a finished one when its budget is larger.
    """
    from harness.core.spec import asked_for
    from harness.search.spec import parse_search

    named = {"method": {"name": method}, "task": {"name": task}, "base": {"name": base, "quantization": quantization}}
    spec = asked_for(named, set_ or (), recipes=recipe or (), probes=probe or ())
    settings = {
        "trials": trials,
        "budget_seconds": budget_seconds,
        "sampler": sampler,
        "objectives": split_names(objectives),
        "constraints": constraint or (),
        "seeds": split_names(seeds),
    }
    asked = parse_search(settings | ({"pruner": pruner} if pruner else {}))

    from harness.search.study import search_cell

    study = search_cell(spec, asked, results, storage=storage, checkpoint_every=checkpoint_every)
    print_study(study, results)
    if len(study.best) == 1:
        command = _run_command(study, study.best[0], set_ or [], results)
        say(f"run the best on a fresh seed: {command}")


def print_study(study: "StudyRecord", results: Path) -> None:
    """What was found, on stdout: the default beside the best."""
    columns = [f"{name} ({study.metric})" if name == "quality" else name for name in study.search.objectives]
    rows = []
    for number in dict.fromkeys([0, *study.best]):
        trial = study.trial(number)
        values = [f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}" for value in trial.values]
        name = f"{number} (default)" if number == 0 else str(number)
        rows.append([name, *values, "\n".join(_assignments(trial))])
    say_table(["trial", *columns, "settings"], rows, title=study.name)
    n_pruned = sum(trial.status == "pruned" for trial in study.trials)
    n_failed = len(study.trials) - len(study.completed)
    n_outside = sum(trial.status == "infeasible" for trial in study.trials)
    outside = f", {n_outside} outside the constraints" if study.search.constraints else ""
    counts = f"{len(study.trials)} trials ({n_pruned} pruned, {n_failed} failed{outside})"
    say(f"{counts}; {study.steps} steps, {study.seconds:.0f} s")
    say(f"study: {results / 'studies' / study.name}.json")


def _assignments(trial: "TrialRecord") -> list[str]:
    """The parameters as ``--set`` takes them."""
    return [f"{name}={value}" for name, value in trial.params.items()]


def _run_command(study: "StudyRecord", number: int, fixed: list[str], results: Path) -> str:
    """The command that runs a trial's settings on a seed that did not choose them, as a shell reads it."""
    spec = study.spec
    cell = ["--method", spec.method.name, "--task", spec.task.name, "--base", spec.base.name]
    recipes = [part for recipe in spec.recipes for part in ("--recipe", recipe.name)]
    settings = [part for text in [*fixed, *_assignments(study.trial(number))] for part in ("--set", text)]
    seed = str(max(study.search.seeds) + 1)
    where = ["--results", str(results)] if results != RESULTS else []
    fixed_options = ["--quantization", spec.base.quantization, "--seed", seed]
    return shlex.join(["harness", "run", *cell, *fixed_options, *recipes, *settings, *where])
