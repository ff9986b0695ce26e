"""A table as Markdown, CSV or HTML text, ending in a newline."""

import csv
import html
import io
import re
from collections.abc import Callable

from harness.tables.columns import Column, Number
from harness.tables.entries import Entry
from harness.tables.spec import TableSpec
from harness.tables.table import Table, TableRow

NO_RUN = "–"

STAR = "★"
"""Marks the highest mean."""


DAGGER = "†"
"""Marks what is significantly worse, where that is asked for."""


def format_entry(entry: Entry, spec: TableSpec, is_counted: bool = True) -> str:
    """Mean ± spread (number of seeds), in percent or in the metric's own unit; or the word."""
    interval = entry.interval
    if interval is None:
        return entry.word or NO_RUN
    mean = format_value(interval.mean, entry.is_percent, spec.decimals)
    sign = "+" if entry.is_difference and interval.mean >= 0 else ""
    spread = entry.width(spec.spread)
    width = "" if spread is None else f" ± {format_value(spread, entry.is_percent, spec.decimals)}"
    n = f"{interval.n} of {entry.n_planned}" if interval.n < entry.n_planned else f"{interval.n}"
    return f"{sign}{mean}{width}" + (f" ({n})" if is_counted else "")


def format_value(value: float, is_percent: bool, decimals: int | None = None) -> str:
    """Percent with one digit after the point; what is no percentage with three digits; or as many as asked for."""
    if decimals is not None:
        return f"{100 * value if is_percent else value:.{decimals}f}"
    return f"{100 * value:.1f}" if is_percent else f"{value:.3g}"


def is_bold(entry: Entry) -> bool:
    """Whether the cell may be the best."""
    return entry.standing in ("best", "tied")


def marks(entry: Entry, spec: TableSpec) -> str:
    """What follows the number: the star of the best mean, the dagger of what is worse."""
    return STAR * (entry.standing == "best") + DAGGER * (spec.dagger and entry.is_worse)


def one_line_heads(table: Table) -> list[str]:
    """One head for each column: the column's values, then what is shown."""
    is_single = sum(not column.is_number for column in table.columns) == 1
    return [_one_line_head(column, is_single) for column in table.columns]


def _one_line_head(column: Column, is_single: bool) -> str:
    name = " ".join(column.labels)
    if not column.shown:
        return name
    if column.is_number:
        return column.shown if is_single else f"{name} {column.shown}"
    return f"{name} ({column.shown})" if name else column.shown


def _texts(row: TableRow, render: Callable[[Entry], str], escape: Callable[[str], str]) -> list[str]:
    """One text for each column."""
    return [escape(cell.text) if isinstance(cell, Number) else render(cell) for cell in row.cells]


MARKDOWN = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""What would be an escape, code, emphasis, a link or an image, the end of a cell."""


def markdown_escape(text: str) -> str:
    """Text that means itself in Markdown, on one line."""
    return MARKDOWN.sub(r"\\\g<0>", html.escape(" ".join(text.splitlines()), quote=False))


def to_markdown(table: Table) -> str:
    """A pipe table; footnotes are numbers in brackets."""
    escape = markdown_escape

    def render(entry: Entry) -> str:
        text = escape(format_entry(entry, table.spec))
        text = f"**{text}**" if is_bold(entry) else text
        text = f"<u>{text}</u>" if table.spec.underline and entry.is_second else text
        return " ".join([text, *marks(entry, table.spec), *(f"[{number}]" for number in entry.notes)])

    heads = [*table.row_fields, *one_line_heads(table)]
    rules = ["---"] * len(table.row_fields) + ["---:"] * len(table.columns)
    rows = [[*map(escape, row.labels), *_texts(row, render, escape)] for row in table.rows]
    lines = [f"| {' | '.join(cells)} |" for cells in [list(map(escape, heads)), rules, *rows]]
    notes = [f"[{number}] {escape(note)}  " for number, note in enumerate(table.notes, 1)]
    footer = map(escape, (*table.legend, *table.provenance))
    return "\n".join([*lines, "", *notes, *([""] if notes else []), *footer]) + "\n"


FORMULA = re.compile(r"\s*[=+\-@]|\t")
"""How a cell begins that a spreadsheet computes."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


PARTS = ("mean", "half_width", "sd", "variation", "n_seeds", "standing", "status")


def to_csv(table: Table) -> str:
    """Numbers as fractions with full precision, seven columns for each entry whatever is shown after ±.

    Notes and footer are comment lines (#).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads: list[str] = []
    for column in table.columns:
        head = " ".join(filter(None, [*column.labels, column.shown]))
        heads += [head] if column.is_number else [f"{head} {part}" for part in PARTS]
    writer.writerow(map(_csv_text, [*table.row_fields, *heads]))
    for row in table.rows:
        values = (value for cell in row.cells for value in _csv_values(cell))
        writer.writerow([*map(_csv_text, row.labels), *values])
    notes = [f"[{number}] {note}" for number, note in enumerate(table.notes, 1)]
    return out.getvalue() + "".join(f"# {_csv_comment(line)}\n" for line in (*notes, *table.legend, *table.provenance))


def _csv_comment(line: str) -> str:
    """A line whose every part between separators is text to a spreadsheet, which knows no comments."""
    return re.sub(r"([,;\t]\s*)([=+@-])", r"\1'\2", " ".join(line.splitlines()))


def _csv_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: OWASP's apostrophe before it, unless it is a number."""
    text = " ".join(text.splitlines())
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _csv_values(cell: Entry | Number) -> list[object]:
    if isinstance(cell, Number):
        return ["" if cell.value is None else cell.value]
    notes = "".join(f" [{number}]" for number in cell.notes)
    found = cell.interval
    if found is None:
        return ["", "", "", "", "", "", _csv_text(cell.word or "no run") + notes]
    spread = ("" if value is None else value for value in (found.half_width, found.sd))
    return [found.mean, *spread, cell.variation, found.n, cell.standing, "ok" + notes]


def to_html(table: Table) -> str:
    """A table element and its notes, without a page around them."""

    def render(entry: Entry) -> str:
        text = html.escape(format_entry(entry, table.spec))
        text = f"<strong>{text}</strong>" if is_bold(entry) else text
        text = f"<u>{text}</u>" if table.spec.underline and entry.is_second else text
        notes = ",".join(map(str, entry.notes))
        return " ".join([text, *marks(entry, table.spec)]) + (f"<sup>{notes}</sup>" if notes else "")

    heads = [*table.row_fields, *one_line_heads(table)]
    rows = [
        [*(f"<th scope=row>{html.escape(label)}</th>" for label in row.labels)]
        + [f"<td>{text}</td>" for text in _texts(row, render, html.escape)]
        for row in table.rows
    ]
    lines = [
        '<table class="comparison">',
        f"<thead><tr>{''.join(f'<th scope=col>{html.escape(head)}</th>' for head in heads)}</tr></thead>",
        "<tbody>",
        *(f"<tr>{''.join(cells)}</tr>" for cells in rows),
        "</tbody>",
        "</table>",
        '<ol class="notes">' if table.notes else "",
        *(f"<li>{html.escape(note)}</li>" for note in table.notes),
        "</ol>" if table.notes else "",
        *(f'<p class="footer">{html.escape(line)}</p>' for line in (*table.legend, *table.provenance)),
    ]
    return "\n".join(line for line in lines if line) + "\n"
