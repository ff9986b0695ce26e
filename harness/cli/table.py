"""``harness table``: records as a comparison."""

from typing import Annotated, Literal

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, SplitOption, uncollected
from harness.cli.usage import one_of

Checkpoint = Literal["chosen", "last"]
Family = Literal["tasks", "comparison"]
Format = Literal["md", "csv", "latex", "html"]


@uncollected()
def table(
    results: Results = RESULTS,
    rows: Annotated[
        str, typer.Option(help="Fields that make rows, comma-separated: method, base, method.rank, …")
    ] = "",
    columns: Annotated[str, typer.Option(help="Fields that make columns.")] = "",
    compare: Annotated[
        str, typer.Option(help="Fields along which cells compete; default: all but the setting's.")
    ] = "",
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric; default: each task's primary one.")] = None,
    split: SplitOption = "test",
    checkpoint: Annotated[
        Checkpoint, typer.Option(help="Chosen on validation, or the last.", **one_of("--checkpoint", Checkpoint))
    ] = "chosen",
    costs: Annotated[str, typer.Option(help="Quantities shown beside the metric, see `list probes`.")] = "",
    family: Annotated[
        Family,
        typer.Option(
            help="What Holm's correction runs over: all tasks of a base and quantization, or one comparison.",
            **one_of("--family", Family),
        ),
    ] = "tasks",
    mixed: Annotated[bool, typer.Option("--mixed", help="Show unlike data or devices, marked and untested.")] = False,
    format: Annotated[Format, typer.Option(help="Text format.", **one_of("--format", Format))] = "md",
) -> None:
    """Compare the finished runs: mean ± interval over seeds, bold what may be the best with 95 % confidence."""
    from harness.cells.applied import needs_of, with_metric
    from harness.cells.cells import make_layout, parse_where, select
    from harness.cells.probed import needs_of_quantities, with_quantities
    from harness.cells.scores import Measure
    from harness.cells.tuning import labelled_records
    from harness.probe import find_quantities
    from harness.storage.predictions import reader
    from harness.storage.store import Store
    from harness.tables.render import RENDERERS
    from harness.tables.table import make_table

    store = Store(results)
    records = select(labelled_records(store), parse_where(where or []))
    layout = make_layout(records, split_names(rows), split_names(columns), split_names(compare))
    quantities = find_quantities(split_names(costs))
    needs = needs_of(records, metric) | needs_of_quantities(quantities)
    measure, read = Measure(metric, split, checkpoint), reader(store, needs)
    made = make_table(
        with_quantities(with_metric(records, measure, read), quantities, read),
        layout,
        measure,
        read,
        costs=quantities,
        family=family,
        allow_mixed=mixed,
    )
    say(RENDERERS[format](made), end="")


def split_names(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated option."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
