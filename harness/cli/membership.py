"""``harness membership``: which examples can be told to be trained on, with other seeds as shadow models."""

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, say_table
from harness.cli.options import RESULTS, Results
from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.cells.cells import Cell
    from harness.cells.membership import Attacked
    from harness.statistics.intervals import Interval
    from harness.storage.store import Store


def membership(
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    results: Results = RESULTS,
) -> None:
    """Attack each cell's runs by their losses on examples that other seeds left out (LiRA, offline); 0.5 is guessing.

    The runs were made with --probe membership, probe.membership.pool=500 and a task.train_limit.
    """
    from harness.cells.cells import group, label_of, layout_of_all, parse_where, select
    from harness.storage.store import Store

    store = Store(results)
    runs = [run for run in select(store.records(), parse_where(where or [])) if "pool_loss_nats" in run.measured]
    if not runs:
        raise SpecError(
            "no run kept losses of a pool; make some with --probe membership --set probe.membership.pool=500 "
            "--set task.train_limit=500 and two seeds or more"
        )
    layout, rows, problems = layout_of_all(runs), [], []
    for cell in (cell for comparison in group(runs, layout) for cell in comparison.cells):
        names = [cell.runs[0].spec.task.name, cell.runs[0].spec.base.name, label_of(cell.runs[0], layout.competing)]
        try:
            rows.append([*names, str(len(cell.ok)), *_shown(_attacked(store, cell))])
        except SpecError as error:
            problems.append(f"{', '.join(names)}: {error}")
    if not rows:
        raise SpecError("\n".join(problems))
    say_table(["task", "base", "cell", "runs", "examples", "AUC", "by loss alone", "found at 1 % false alarms"], rows)
    for problem in problems:
        note(f"left out: {problem}")


def _attacked(store: "Store", cell: "Cell") -> "Attacked":
    from harness.cells.membership import attack
    from harness.storage.measured import MEASURED, read_examples

    files = [store.folder(run.run_id) / MEASURED for run in cell.ok]
    losses, trained = (
        [read_examples(file, name) for file in files] for name in ("pool_loss_nats", "pool_trained_ratio")
    )
    return attack(losses, trained)


def _shown(found: "Attacked") -> list[str]:
    return [str(found.n_examples), *map(_interval, (found.auc, found.loss_auc, found.true_positives))]


def _interval(found: "Interval") -> str:
    return f"{found.mean:.3f}" + ("" if found.half_width is None else f" ± {found.half_width:.3f}")
