"""``harness ensemble`` and ``soup``: cells made of finished runs, at no training."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results
from harness.cli.usage import one_of
from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.cells.cells import Comparison
    from harness.cells.ensemble import Ensemble
    from harness.storage.predictions import Read
    from harness.storage.record import Record
    from harness.storage.store import Store

Over = Literal["seeds", "methods"]
Across = Literal["seeds", "tasks"]
Mix = Literal["uniform", "greedy", "ties", "dare"]


def ensemble(
    over: Annotated[
        Over, typer.Option(help="What the members of an ensemble differ in.", **one_of("--over", Over))
    ] = "seeds",
    size: Annotated[int, typer.Option(min=2, help="--over seeds: members of each; the seeds in order.")] = 3,
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    results: Results = RESULTS,
) -> None:
    """Combine the stored answers of finished runs, at no training; tables show each ensemble with its summed cost."""
    from harness.cells.ensemble import over_methods, over_seeds
    from harness.storage.predictions import reader

    store, comparisons = _cells(results, where or [])
    asked = list(over_seeds(comparisons, size) if over == "seeds" else over_methods(comparisons))
    what = f"no cell has {size} finished seeds" if over == "seeds" else "no seed has finished runs of two methods"
    _check_found(asked, what)
    read = reader(store, {"scores", "texts"})
    _say("ensemble", [_ensemble(store, one, read) for one in asked], comparisons)


def soup(
    mix: Annotated[Mix, typer.Option(help="How weights are mixed.", **one_of("--mix", Mix))] = "uniform",
    over: Annotated[
        Across, typer.Option(help="What the members of a soup differ in.", **one_of("--over", Across))
    ] = "seeds",
    size: Annotated[int, typer.Option(min=2, help="--over seeds: members of each; the seeds in order.")] = 3,
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    results: Results = RESULTS,
) -> None:
    """Mix the trained weights of finished runs into one model of the same size, at no training; over tasks, with the
    head of each task, which is asked for itself."""
    from harness.cells.ensemble import over_seeds, over_tasks, run_id

    store, comparisons = _cells(results, where or [])
    found = over_seeds(comparisons, size) if over == "seeds" else over_tasks(comparisons)
    asked = [one.named(f"soup({one.of},{mix})") for one in found]
    none = f"no cell has {size} finished seeds" if over == "seeds" else "no seed has alike runs of two tasks"
    _check_found(asked, none)
    _say("soup", [store.find(run_id(one)) or _soup(store, one, mix) for one in asked], comparisons)


def _cells(results: Path, where: list[str]) -> "tuple[Store, list[Comparison]]":
    """The finished runs that were trained, grouped."""
    from harness.cells.cells import group, layout_of_all, parse_where, select
    from harness.cells.tuning import labelled_records
    from harness.storage.store import Store

    store = Store(results)
    found = select(labelled_records(store), parse_where(where))
    runs = list({run.run_id: run for run in found if run.status == "ok" and not run.members}.values())
    return store, group(runs, layout_of_all(runs))


def _check_found(asked: "list[Ensemble]", what: str) -> None:
    if not asked:
        raise SpecError(f"{what}: nothing to combine")


def _ensemble(store: "Store", asked: "Ensemble", read: "Read") -> "Record":
    """The stored record of an ensemble, or a new one."""
    from harness.cells.ensemble import answers_of, record_of, run_id
    from harness.storage.predictions import PREDICTIONS, write_predictions

    if known := store.find(run_id(asked)):
        return known
    answers = answers_of(asked, read)
    record = record_of(asked, answers, _now())
    with store.writing(record.run_id, record.spec) as folder:
        write_predictions(answers, folder / PREDICTIONS)
        record = store.finish(folder, record)
    return record


def _soup(store: "Store", asked: "Ensemble", mix: Mix) -> "Record":
    """A new soup; its parameters are one model's, its cost that of all members, used or not."""
    from harness.cells.ensemble import record_of, run_id, spec_of
    from harness.runs.export import ADAPTER
    from harness.runs.soup import cook
    from harness.storage.predictions import PREDICTIONS, write_predictions

    with store.writing(run_id(asked), spec_of(asked)) as folder:
        cooked = cook(asked.members, mix, store.results, folder / ADAPTER)
        params = asked.members[0].params.model_copy(update={"init_hash": "", "stored_hash": cooked.stored_hash})
        made = {"params": params, "members": [run.run_id for run in cooked.used]}
        record = record_of(asked, cooked.answers, _now()).model_copy(update=made)
        write_predictions(cooked.answers, folder / PREDICTIONS)
        record = store.finish(folder, record)
    return record


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _say(what: str, made: "list[Record]", comparisons: "list[Comparison]") -> None:
    rows = [
        [run.spec.method.name, run.spec.task.name, str(run.spec.seed), str(len(run.members)), _score(run), run.run_id]
        for run in made
    ]
    say_table([what, "task", "seed", "members", "test", "run"], rows)
    n_runs = sum(len(cell.ok) for comparison in comparisons for cell in comparison.cells)
    n_used = len({member for run in made for member in run.members})
    say(f"{len(made)} {what}s of {n_used} runs; {n_runs - n_used} runs are in none")


def _score(run: "Record") -> str:
    value = run.metric()
    return "" if value is None else f"{run.primary_metric} {value:.4f}"
