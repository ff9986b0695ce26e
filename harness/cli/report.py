"""``harness report``: one self-contained HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, path, uncollected


@uncollected()
def report(
    results: Results = RESULTS,
    where: Annotated[list[str] | None, typer.Option(help="Keep runs with field=value; may be repeated.")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Adaptation methods compared",
    texts: Annotated[
        bool, typer.Option("--texts", help="Show the texts of test examples too; they are read from the task's source.")
    ] = False,
    out: Annotated[Path, typer.Option(help="File to write.", parser=path)] = Path("report.html"),
) -> None:
    """Write all runs into one page: sortable tables, figures, every run's spec and curve; opens without a network."""
    from harness.cells.cells import parse_where, select
    from harness.cells.race import find_races, label_races
    from harness.core.errors import SpecError
    from harness.search.record import find_studies
    from harness.storage.explanations import kept
    from harness.storage.predictions import reader
    from harness.storage.store import Store
    from harness.tables.report import make_report

    store = Store(results)
    records = select(label_races(store.records(), find_races(results)), parse_where(where or []))
    page = make_report(
        records, reader(store), title, find_studies(results), texts, lambda run: kept(store.folder(run.run_id))
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"can't write {out}: {error.strerror}; choose another --out") from None
    say(out)
