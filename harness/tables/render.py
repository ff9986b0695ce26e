"""A table as Markdown, CSV, LaTeX or HTML text, ending in a newline."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterable

from harness.core.units import with_unit
from harness.tables.entries import Entry
from harness.tables.table import Table

NO_RUN = "–"

STAR = "★"
"""Marks the highest mean."""


def format_entry(entry: Entry) -> str:
    """Mean ± half-width (number of seeds), in percent or in the metric's own unit; or the word."""
    interval = entry.interval
    if interval is None:
        return entry.word or NO_RUN
    width = "" if interval.half_width is None else f" ± {format_value(interval.half_width, entry.is_percent)}"
    n = f"{interval.n} of {entry.n_planned}" if interval.n < entry.n_planned else f"{interval.n}"
    return f"{format_value(interval.mean, entry.is_percent)}{width} ({n})"


def format_value(value: float, is_percent: bool) -> str:
    """Percent with one digit after the point; what is no percentage with three digits."""
    return f"{100 * value:.1f}" if is_percent else f"{value:.3g}"


def is_bold(entry: Entry) -> bool:
    """Whether the cell may be the best."""
    return entry.standing in ("best", "tied")


def _heads(table: Table) -> list[str]:
    """One head for each column, its costs included: the column's values, then what is shown."""
    heads = []
    for column in table.columns:
        name = " ".join(column.labels)
        heads.append(f"{name} ({column.metric})" if column.metric else name)
        heads += [f"{name} {cost.name}" if len(table.columns) > 1 else cost.name for cost in table.costs]
    return heads


def _texts(table: Table, entries: Iterable[Entry], render: Callable[[Entry], str]) -> list[str]:
    """One text for each column of a row, its costs included."""
    texts = []
    for entry in entries:
        texts.append(render(entry))
        costs = [
            NO_RUN if value is None else with_unit(value, cost.unit)
            for cost, value in zip(table.costs, entry.costs, strict=False)
        ]
        texts += costs or [NO_RUN] * len(table.costs)
    return texts


MARKDOWN = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""What would be an escape, code, emphasis, a link or an image, the end of a cell."""


def markdown_escape(text: str) -> str:
    """Text that means itself in Markdown, on one line."""
    return MARKDOWN.sub(r"\\\g<0>", html.escape(" ".join(text.splitlines()), quote=False))


def to_markdown(table: Table) -> str:
    """A pipe table; footnotes are numbers in brackets."""
    escape = markdown_escape

    def render(entry: Entry) -> str:
        text = escape(format_entry(entry))
        marks = "".join(f" [{number}]" for number in entry.notes)
        return (f"**{text}**" if is_bold(entry) else text) + (f" {STAR}" if entry.standing == "best" else "") + marks

    heads = [*table.row_fields, *_heads(table)]
    rules = ["---"] * len(table.row_fields) + ["---:"] * (len(heads) - len(table.row_fields))
    rows = [[*map(escape, row.labels), *_texts(table, row.entries, render)] for row in table.rows]
    lines = [f"| {' | '.join(cells)} |" for cells in [list(map(escape, heads)), rules, *rows]]
    notes = [f"[{number}] {escape(note)}" for number, note in enumerate(table.notes, 1)]
    return (
        "\n".join([*lines, "", *(line + "  " for line in notes), *([""] if notes else []), *map(escape, table.footer)])
        + "\n"
    )


FORMULA = re.compile(r"\s*[=+\-@]|\t")
"""How a cell begins that a spreadsheet computes."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def to_csv(table: Table) -> str:
    """Numbers as fractions with full precision, six columns for each cell; notes and footer are comment lines (#)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    parts = ("mean", "half_width", "variation", "n_seeds", "standing", "status", *(cost.name for cost in table.costs))
    heads = [" ".join(filter(None, [*column.labels, column.metric])) for column in table.columns]
    writer.writerow(map(_csv_text, [*table.row_fields, *(f"{head} {part}" for head in heads for part in parts)]))
    for row in table.rows:
        values = (value for entry in row.entries for value in _csv_values(table, entry))
        writer.writerow([*map(_csv_text, row.labels), *values])
    notes = [f"[{number}] {note}" for number, note in enumerate(table.notes, 1)]
    return out.getvalue() + "".join(f"# {_csv_comment(line)}\n" for line in (*notes, *table.footer))


def _csv_comment(line: str) -> str:
    """A line whose every part between separators is text to a spreadsheet, which knows no comments."""
    return re.sub(r"([,;\t]\s*)([=+@-])", r"\1'\2", " ".join(line.splitlines()))


def _csv_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: OWASP's apostrophe before it, unless it is a number."""
    text = " ".join(text.splitlines())
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _csv_values(table: Table, entry: Entry) -> list[object]:
    marks = "".join(f" [{number}]" for number in entry.notes)
    costs = ["" if cost is None else cost for cost in entry.costs or [None] * len(table.costs)]
    if entry.interval is None:
        return ["", "", "", "", "", _csv_text(entry.word or "no run") + marks, *costs]
    half_width = "" if entry.interval.half_width is None else entry.interval.half_width
    return [entry.interval.mean, half_width, entry.variation, entry.interval.n, entry.standing, "ok" + marks, *costs]


LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"$\pm$",
        "–": "--",
        "…": r"\ldots{}",
        STAR: r"$^\star$",
        "\n": " ",
    }
)


def latex_escape(text: str) -> str:
    """Text that means itself in LaTeX, on one line; what is not of Latin-1 or can't be seen becomes a question mark."""
    plain = " ".join(text.replace("\t", " ").splitlines())
    return "".join(char if _is_latin(char) or ord(char) in LATEX else "?" for char in plain).translate(LATEX)


def _is_latin(char: str) -> bool:
    return char.isprintable() and ord(char) < 256


def to_latex(table: Table) -> str:
    """A tabular with booktabs' rules, and its notes as a paragraph below; goes into a table environment."""

    def render(entry: Entry) -> str:
        text = latex_escape(format_entry(entry))
        marks = ",".join(map(str, entry.notes))
        bold = rf"\textbf{{{text}}}" if is_bold(entry) else text
        star = LATEX[ord(STAR)] if entry.standing == "best" else ""
        return bold + star + (rf"\textsuperscript{{{marks}}}" if marks else "")

    heads = map(latex_escape, [*table.row_fields, *_heads(table)])
    rows = [[*map(latex_escape, row.labels), *_texts(table, row.entries, render)] for row in table.rows]
    n_right = len(table.columns) * (1 + len(table.costs))
    notes = [rf"\textsuperscript{{{number}}} {latex_escape(note)}" for number, note in enumerate(table.notes, 1)]
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{'l' * len(table.row_fields)}{'r' * n_right}}}",
        r"\toprule",
        rf"{' & '.join(heads)} \\",
        r"\midrule",
        *(rf"{' & '.join(cells)} \\" for cells in rows),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\smallskip",
        r"{\footnotesize\noindent",
        *(rf"{line}\par" for line in [*notes, *map(latex_escape, table.footer)]),
        "}",
    ]
    return "\n".join(lines) + "\n"


def to_html(table: Table) -> str:
    """A table element and its notes, without a page around them."""

    def render(entry: Entry) -> str:
        text = html.escape(format_entry(entry))
        marks = ",".join(map(str, entry.notes))
        bold = f"<strong>{text}</strong>" if is_bold(entry) else text
        star = f" {STAR}" if entry.standing == "best" else ""
        return bold + star + (f"<sup>{marks}</sup>" if marks else "")

    heads = [*table.row_fields, *_heads(table)]
    rows = [
        [*(f"<th scope=row>{html.escape(label)}</th>" for label in row.labels)]
        + [f"<td>{text}</td>" for text in _texts(table, row.entries, render)]
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
        *(f'<p class="footer">{html.escape(line)}</p>' for line in table.footer),
    ]
    return "\n".join(line for line in lines if line) + "\n"


RENDERERS: dict[str, Callable[[Table], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "html": to_html,
}
