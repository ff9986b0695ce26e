"""``harness export`` and ``harness predict``: use what a run trained."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import say
from harness.cli.options import RESULTS, Results, path


def export(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.")],
    to: Annotated[Path, typer.Option(help="Folder to write; must be new or empty.", parser=path)],
    merge: Annotated[bool, typer.Option(help="A plain checkpoint with the update merged into the weights.")] = False,
    results: Results = RESULTS,
) -> None:
    """Write the adapter of a run, in PEFT's own format for peft methods, or a merged plain checkpoint."""
    from harness.runs.export import export_run

    say(export_run(run, to, results, merge=merge))


def predict(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.")],
    text: Annotated[
        list[str], typer.Argument(help="Texts; for a pair of texts, one JSON object of the task's fields.")
    ],
    results: Results = RESULTS,
) -> None:
    """Answer texts with the adapted model of a run; one JSON line per text."""
    import json

    from harness.runs.export import predict_texts

    for answer in predict_texts(run, text, results):
        say(json.dumps(answer, ensure_ascii=False))
