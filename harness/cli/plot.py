"""``harness plot``: figures from records, in a file whose suffix says png, pdf or svg."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, Split, SplitOption, path
from harness.cli.table import split_names
from harness.cli.usage import Commands, one_of

if TYPE_CHECKING:
    from harness.cells.cells import Comparison, Label
    from harness.storage.predictions import Read

plot = typer.Typer(cls=Commands, help="Draw figures of the finished runs.", no_args_is_help=True)

CostName = Literal["trainable_params", "stored_bytes", "peak_memory_bytes", "train_seconds"]
XAxis = Literal["step", "seconds"]

Where = Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")]
Compare = Annotated[str, typer.Option(help="Fields along which cells compete, comma-separated.")]
Metric = Annotated[str | None, typer.Option(help="Metric; default: each task's primary one.")]
Mixed = Annotated[bool, typer.Option("--mixed", help="Draw unlike data or devices together.")]
Out = Annotated[Path, typer.Option(help="File to write: .png, .pdf or .svg.", parser=path)]


@plot.command()
def pareto(
    results: Results = RESULTS,
    cost: Annotated[CostName, typer.Option(help="Horizontal axis.", **one_of("--cost", CostName))] = "trainable_params",
    metric: Metric = None,
    split: SplitOption = "test",
    where: Where = None,
    compare: Compare = "",
    mixed: Mixed = False,
    out: Out = Path("pareto.png"),
) -> None:
    """Quality against a cost: intervals over seeds, the Pareto front, and the probability of being on it."""
    from harness.cells.scores import Measure
    from harness.core.errors import SpecError
    from harness.figures.drawing import pareto_figure, save
    from harness.figures.panels import pareto_panel

    label, comparisons, read = _comparisons(results, where, compare, split, mixed)
    panels = [pareto_panel(comparison, label, Measure(metric, split), cost, read) for comparison in comparisons]
    if not any(panel.parts for panel in panels):
        raise SpecError(f"no run has a {split} {metric or 'metric'} and {cost} that can be drawn")
    save(pareto_figure(panels, cost.replace("_", " "), f"{split} {metric or 'primary metric'} (percent)"), out)
    say(out)


@plot.command()
def curves(
    results: Results = RESULTS,
    y: Annotated[
        str | None, typer.Option(help="Column of the curves; default: the primary metric on validation.")
    ] = None,
    x: Annotated[XAxis, typer.Option(help="Horizontal axis.", **one_of("--x", XAxis))] = "step",
    where: Where = None,
    compare: Compare = "",
    mixed: Mixed = False,
    out: Out = Path("curves.png"),
) -> None:
    """Learning curves: mean over seeds in its 95 % interval."""
    from harness.core.errors import SpecError
    from harness.figures.drawing import curve_figure, save
    from harness.figures.panels import curve_panel

    label, comparisons, _ = _comparisons(results, where, compare, "validation", mixed)
    panels = [curve_panel(comparison, label, y, x) for comparison in comparisons]
    if not any(panel.parts for panel in panels):
        there = {name for c in comparisons for cell in c.cells for run in cell.ok for row in run.curve for name in row}
        raise SpecError(
            f"no curve has {y or 'a validation metric'!r}; the curves have {', '.join(sorted(there)) or 'nothing'}"
        )
    save(curve_figure(panels, x, y or "primary metric on validation"), out)
    say(out)


@plot.command("critical-difference")
def critical_difference(
    results: Results = RESULTS,
    metric: Metric = None,
    split: SplitOption = "test",
    where: Where = None,
    compare: Compare = "",
    mixed: Mixed = False,
    out: Out = Path("critical-difference.png"),
) -> None:
    """Average ranks over tasks (and bases, and precisions), with Friedman's and Nemenyi's tests."""
    from harness.cells.scores import Measure
    from harness.figures.drawing import critical_difference_figure, save
    from harness.figures.panels import rank_panel

    label, comparisons, _ = _comparisons(results, where, compare, split, mixed)
    save(critical_difference_figure(*rank_panel(comparisons, label, Measure(metric, split))), out)
    say(out)


def _comparisons(
    results: Path, where: list[str] | None, compare: str, split: Split, mixed: bool
) -> "tuple[Label, list[Comparison], Read]":
    """How cells are called, and the comparisons of the selected records, refused if they mix unlike runs."""
    from harness.cells.cells import Layout, check_fields, find_all_mixed, group, label_of, parse_where, select
    from harness.cells.tuning import labelled_records
    from harness.storage.predictions import reader
    from harness.storage.store import Store

    store = Store(results)
    records = select(labelled_records(store), parse_where(where or []))
    competing = split_names(compare) or ("method",)
    check_fields(records, competing)
    setting = tuple(axis for axis in ("base", "quantization") if axis not in competing)
    layout = Layout(rows=setting + competing, columns=("task",), competing=competing)
    comparisons, read = group(records, layout), reader(store)
    find_all_mixed(comparisons, read, split, allow=mixed)
    return partial(label_of, competing=competing), comparisons, read
