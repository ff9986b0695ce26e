"""``harness export``, ``predict`` and ``explain``: use what a run trained."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.console import say, say_table
from harness.cli.options import RESULTS, Results, path
from harness.cli.usage import one_of

Attribution = Literal["occlusion", "gradient_x_input", "integrated_gradients", "attention_rollout"]


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


def explain(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.")],
    text: Annotated[str, typer.Argument(help="A text; for a pair of texts, one JSON object of the task's fields.")],
    attribution: Annotated[
        Attribution,
        typer.Option(
            help="How words are weighed; all but occlusion need a head.", **one_of("--attribution", Attribution)
        ),
    ] = "occlusion",
    keep: Annotated[bool, typer.Option("--keep", help="Keep it with the run; `report` shows it.")] = False,
    results: Results = RESULTS,
) -> None:
    """Weigh the words of a text: what each does for the answer that the adapted model of a run gives."""
    from harness.runs.explain import explain_text
    from harness.storage.explanations import keep as keep_explanation
    from harness.storage.store import Store

    explained = explain_text(run, text, attribution, results)
    if keep:
        folder, _ = Store(results).match(run)
        keep_explanation(explained, folder)
    largest = max(map(abs, explained.weights), default=0.0) or 1.0
    bars = [("-" if weight < 0 else "+") * round(10 * abs(weight) / largest) for weight in explained.weights]
    rows = zip(explained.words, (f"{weight:+.4f}" for weight in explained.weights), bars, strict=True)
    say_table(["word", "weight", ""], [list(row) for row in rows], title=f"{explained.prediction}, by {attribution}")
