"""``harness card``: a run, or its cell, as a model card."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, path
from harness.core.errors import SpecError


def card(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .md or .html; default: Markdown on standard output.", parser=path),
    ] = None,
    cell: Annotated[
        bool, typer.Option("--cell", help="Results and quantities as means over the runs of all its seeds.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Write a run's model card in the hub's format: results, everything measured, training, data, limits."""
    from harness.storage.store import Store
    from harness.tables.card import as_html, cell_of
    from harness.tables.card import card as card_of

    store = Store(results)
    record = store.match(run)[1]
    text = card_of(record, cell_of(record, store) if cell else ())
    if out is None:
        say(text, end="")
        return
    if out.suffix not in (".md", ".html"):
        raise SpecError(f"--out must end in .md or .html; got {str(out)!r}")
    out.write_text(as_html(text, record.run_id) if out.suffix == ".html" else text, encoding="utf-8")
    say(out)
