"""The text formats of a table by name."""

from collections.abc import Callable

from harness.cells.choices import Format
from harness.tables.latex import to_latex
from harness.tables.render import to_csv, to_html, to_markdown
from harness.tables.table import Table

RENDERERS: dict[Format, Callable[[Table], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "html": to_html,
}
