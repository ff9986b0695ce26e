"""``harness ensemble``: cells made of stored answers."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results
from harness.cli.usage import one_of
from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.cells.ensemble import Ensemble
    from harness.storage.predictions import Read
    from harness.storage.record import Record
    from harness.storage.store import Store

Over = Literal["seeds", "methods"]


def ensemble(
    over: Annotated[
        Over, typer.Option(help="What the members of an ensemble differ in.", **one_of("--over", Over))
    ] = "seeds",
    size: Annotated[int, typer.Option(min=2, help="--over seeds: members of each; the seeds in order.")] = 3,
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    results: Results = RESULTS,
) -> None:
    """Combine the stored answers of finished runs, at no training; tables show each ensemble with its summed cost."""
    from harness.cells.cells import group, layout_of_all, parse_where, select
    from harness.cells.ensemble import over_methods, over_seeds
    from harness.cells.tuning import labelled_records
    from harness.storage.predictions import reader
    from harness.storage.store import Store

    store = Store(results)
    found = select(labelled_records(store), parse_where(where or []))
    runs = list({run.run_id: run for run in found if run.status == "ok" and not run.members}.values())
    comparisons = group(runs, layout_of_all(runs))
    asked = list(over_seeds(comparisons, size) if over == "seeds" else over_methods(comparisons))
    if not asked:
        what = f"no cell has {size} finished seeds" if over == "seeds" else "no seed has finished runs of two methods"
        raise SpecError(f"{what}: nothing to combine")
    read = reader(store, {"scores", "texts"})
    records = [_made(store, one, read) for one in asked]
    rows = [[run.spec.method.name, run.spec.task.name, str(run.spec.seed), _score(run), run.run_id] for run in records]
    say_table(["ensemble", "task", "seed", "test", "run"], rows)
    n_used = len({member for run in records for member in run.members})
    say(f"{len(records)} ensembles of {n_used} runs; {len(runs) - n_used} runs are in none")


def _made(store: "Store", asked: "Ensemble", read: "Read") -> "Record":
    """The stored record of an ensemble, or a new one."""
    from datetime import UTC, datetime

    from harness.cells.ensemble import answers_of, record_of, run_id
    from harness.storage.predictions import PREDICTIONS, write_predictions

    if known := store.find(run_id(asked)):
        return known
    answers = answers_of(asked, read)
    record = record_of(asked, answers, datetime.now(UTC).isoformat(timespec="seconds"))
    with store.writing(record.run_id, record.spec) as folder:
        write_predictions(answers, folder / PREDICTIONS)
        store.finish(folder, record)
    return record


def _score(run: "Record") -> str:
    value = run.metric()
    return "" if value is None else f"{run.primary_metric} {value:.4f}"
