"""One self-contained page of all runs: no network, no server."""

import json
import math
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from harness.cells.pairs import MOST_CELLS
from harness.libraries.extras import need
from harness.search.record import StudyRecord
from harness.storage.explanations import Explained
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.page_data import report_data

SCRIPTS = ("text", "state", "table", "filters", "results", "figures", "answers", "searches", "runs", "start")
"""Parts of the page's script, in the order in which they need each other."""


def make_report(
    records: Sequence[Record],
    read: Read,
    title: str,
    studies: Sequence[StudyRecord] = (),
    has_texts: bool = False,
    explained: Callable[[Record], Sequence[Explained]] = lambda _: (),
) -> str:
    """The page's HTML; arguments as for ``page_data.report_data``.

    Raises:
        SpecError: plotly or Jinja is not installed.
    """
    page = files("harness.tables") / "page"
    environment = need("jinja2", "report").Environment(autoescape=True)
    return str(
        environment.from_string((page / "report.html.j2").read_text()).render(
            title=title,
            most_cells=MOST_CELLS,
            data=to_script_json(report_data(records, read, studies, has_texts, explained)),
            plotly=need("plotly.offline", "report").get_plotlyjs(),
            style=(page / "report.css").read_text(),
            script="\n".join((page / f"{name}.js").read_text() for name in SCRIPTS),
        )
    )


def to_script_json(data: Any) -> str:
    """Compact JSON that can't end the script element it stands in; numbers that JSON lacks become null."""
    text = json.dumps(_finite(data), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
