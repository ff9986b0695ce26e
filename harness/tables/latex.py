"""A table as LaTeX, ending in a newline."""

import re
from collections.abc import Sequence
from itertools import groupby

from harness.tables.columns import Number
from harness.tables.entries import Entry
from harness.tables.render import DAGGER, STAR, format_entry, is_bold, marks
from harness.tables.spec import Span
from harness.tables.table import Table, TableRow

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
        "→": r"$\rightarrow$",
        "↓": r"$\downarrow$",
        STAR: r"$^\star$",
        DAGGER: r"$^\dagger$",
        "\n": " ",
    }
)

ENVIRONMENTS: dict[Span, str] = {"column": "table", "page": "table*", "sideways": "sidewaystable*"}

SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""A box as wide as it is, or as the line where it is wider."""


def latex_escape(text: str) -> str:
    """Text that means itself in LaTeX, on one line; what is not of Latin-1 or can't be seen becomes a question mark."""
    plain = " ".join(text.replace("\t", " ").splitlines())
    return "".join(char if _is_latin(char) or ord(char) in LATEX else "?" for char in plain).translate(LATEX)


def _is_latin(char: str) -> bool:
    return char.isprintable() and ord(char) < 256


def to_latex(table: Table) -> str:
    """A tabular with booktabs' rules and its notes below; with a caption in a table environment.

    Where it comes from is in comments. Numbers of seeds are in the cells only where they differ.
    """
    spec, n_seeds = table.spec, _n_seeds(table)
    packages = ["booktabs", *(["graphicx"] if spec.fit else []), *(["rotating"] if spec.span == "sideways" else [])]
    lines = [
        rf"% needs \usepackage{{{','.join(packages)}}}",
        *(f"% {' '.join(line.splitlines())}" for line in table.provenance),
        *([SHRINK] if spec.fit else []),
        *_tabular(table, is_counted=n_seeds is None),
        *(["}"] if spec.fit else []),
        "",
        r"\smallskip",
        r"{\footnotesize\raggedright\noindent",
        *(rf"{line}\par" for line in _notes(table, n_seeds)),
        "}",
    ]
    if spec.caption is not None:
        environment = ENVIRONMENTS[spec.span]
        label = [rf"\label{{{spec.label}}}"] if spec.label else []
        label.append(r"\smallskip")
        caption = rf"\caption{{{latex_escape(spec.caption)}}}"
        head = [rf"\begin{{{environment}}}", r"\centering", caption, *label]
        lines = [*lines[:1], *head, *lines[1:], rf"\end{{{environment}}}"]
    return "\n".join(lines) + "\n"


def _n_seeds(table: Table) -> int | None:
    """The number of seeds that all cells have, if it is one."""
    entries = [cell for row in table.rows for cell in row.cells if isinstance(cell, Entry) and cell.interval]
    numbers = {entry.interval.n for entry in entries if entry.interval}
    whole = all(entry.interval and entry.interval.n >= entry.n_planned for entry in entries)
    return numbers.pop() if len(numbers) == 1 and whole else None


def _notes(table: Table, n_seeds: int | None) -> list[str]:
    shown = {column.shown for column in table.columns if column.shown}
    metric = f"All columns: {shown.pop()}." if _is_uniform(table) and shown else ""
    seeds = f"All cells: {n_seeds} seeds." if n_seeds else ""
    legend = [line.replace(" (number of seeds)", "") if n_seeds else line for line in table.legend]
    numbered = [rf"\textsuperscript{{{number}}} {latex_escape(note)}" for number, note in enumerate(table.notes, 1)]
    about = " ".join(latex_escape(line) for line in (metric, *legend, seeds) if line)
    return [*numbered, about]


def _tabular(table: Table, is_counted: bool) -> list[str]:
    alignment = "l" * len(table.row_fields) + "r" * len(table.columns)
    return [
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        *_rows(table, is_counted),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _is_uniform(table: Table) -> bool:
    """Whether all columns show the same, so that no head has to say it."""
    return len({column.shown for column in table.columns if column.shown}) < 2


def _heads(table: Table) -> list[str]:
    """A line for each field of the columns, one for what they show; equal neighbours share a head."""
    n_labels = max((len(column.labels) for column in table.columns), default=0)
    heads = [(*column.labels, *[""] * (n_labels - len(column.labels)), column.shown) for column in table.columns]
    depth = n_labels + (not _is_uniform(table) or not n_labels)
    left = len(table.row_fields)
    lines = []
    for level in range(depth):
        is_last = level == depth - 1
        cells = [latex_escape(field) if is_last else "" for field in table.row_fields]
        rules, at = [], left
        for names, same in groupby(heads, key=lambda head: head[: level + 1]):
            n = len(list(same))
            text = latex_escape(names[level])
            cells.append(rf"\multicolumn{{{n}}}{{c}}{{{text}}}" if n > 1 or not is_last else text)
            rules += [rf"\cmidrule(lr){{{at + 1}-{at + n}}}"] if n > 1 and text and not is_last else []
            at += n
        lines += [rf"{' & '.join(cells)} \\", *rules]
    return lines


def _rows(table: Table, is_counted: bool) -> list[str]:
    """The rows; a label that repeats the row above is left out, and a new first one of several has a gap above."""
    lines: list[str] = []
    above: Sequence[str] = ()
    for row in table.rows:
        n_same = 0
        while n_same < len(row.labels) - 1 and row.labels[: n_same + 1] == tuple(above[: n_same + 1]):
            n_same += 1
        if above and len(row.labels) > 1 and not n_same:
            lines.append(r"\addlinespace")
        labels = ["" if place < n_same else latex_escape(label) for place, label in enumerate(row.labels)]
        lines.append(rf"{' & '.join([*labels, *_cells(row, table, is_counted)])} \\")
        above = row.labels
    return lines


def _cells(row: TableRow, table: Table, is_counted: bool) -> list[str]:
    def render(entry: Entry) -> str:
        text = _numeric(latex_escape(format_entry(entry, table.spec, is_counted)))
        text = rf"\textbf{{{text}}}" if is_bold(entry) else text
        text = rf"\underline{{{text}}}" if table.spec.underline and entry.is_second else text
        notes = ",".join(map(str, entry.notes))
        return text + latex_escape(marks(entry, table.spec)) + (rf"\textsuperscript{{{notes}}}" if notes else "")

    return [latex_escape(cell.text) if isinstance(cell, Number) else render(cell) for cell in row.cells]


def _numeric(text: str) -> str:
    """A hyphen before a number as the minus that it is."""
    return re.sub(r"(?<!\S)-(?=\d)", "$-$", text)
