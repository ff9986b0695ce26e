"""Text from outside in every output format: it means itself."""

import csv
import io
from pathlib import Path

import pytest

from harness.tables.columns import Column, Number
from harness.tables.entries import Entry
from harness.tables.formats import RENDERERS
from harness.tables.latex import latex_escape
from harness.tables.render import markdown_escape
from harness.tables.spec import TableSpec
from harness.tables.table import Table, TableRow

HOSTILE = "=1+1|[x](http://evil) ![y](z) <img src=x> `code` *b* _i_ a_b ~~s~~ \\ &amp;\nsecond\x0bline"


def table_with(text: str) -> Table:
    """A table whose every text is that of a user."""
    entry = Entry(word=text)
    return Table(
        row_fields=(text,),
        columns=(Column((text,), text), Column((text,), "", is_number=True)),
        rows=(TableRow((text,), (entry, Number(None, text))),),
        notes=(text,),
        legend=(f"Labels: {text}, {text}",),
        provenance=(f"Data: {text}, {text}",),
        spec=TableSpec(caption=text),
    )


def test_markdown_is_text_on_one_line() -> None:
    assert markdown_escape(HOSTILE) == (
        "=1+1\\|\\[x\\](http://evil) !\\[y\\](z) &lt;img src=x&gt; \\`code\\` \\*b\\* \\_i\\_ a_b \\~\\~s\\~\\~ \\\\ "
        "&amp;amp; second line"
    )
    for line in RENDERERS["md"](table_with(HOSTILE)).splitlines():
        assert "<img" not in line
        assert "](http" not in line.replace("\\](http", "")
        assert "second" not in line or "=1+1" in line


def test_html_is_text() -> None:
    """Whatever is a user's: labels, heads, cells, notes, where it comes from."""
    text = RENDERERS["html"](table_with(HOSTILE))
    assert "<img" not in text
    assert text.count("&lt;img") >= 12


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", " =", "\r="])
def test_csv_has_no_formula(start: str) -> None:
    text = RENDERERS["csv"](table_with(f"{start}HYPERLINK(1)"))
    rows = [row for row in csv.reader(io.StringIO(text)) if row and not row[0].startswith("#")]
    assert len(rows) == 2
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(start)
    assert rows[1][0] == f"'{start}HYPERLINK(1)".replace("\r", " ")
    comments = [part.strip() for line in text.splitlines() if line.startswith("#") for part in line.split(",")]
    assert not [part for part in comments if part.startswith(start)]


@pytest.mark.parametrize("number", ["-1", "+0.5", "-1e-4", "-.5", "3", "1."])
def test_csv_numbers_stay_numbers(number: str) -> None:
    rows = list(csv.reader(io.StringIO(RENDERERS["csv"](table_with(number)))))
    assert rows[1][0] == number


def test_latex_has_no_control_characters() -> None:
    assert latex_escape("a\x00b\x1bc\nd\te\x85f\x9bg") == "a?b?c d e f?g"


@pytest.mark.parametrize("name", RENDERERS)
def test_every_format_takes_any_text(name: str) -> None:
    assert RENDERERS[name](table_with(HOSTILE))


def test_dollar_signs_in_figures_are_no_mathematics(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import numpy as np

    from harness.cells.curves import Curve
    from harness.figures._drawing import draw_curves
    from harness.figures._panels import Panel

    one = np.array([1.0])
    curve = Curve(label=r"$\frac$ [/x]", x=one, mean=one, half_width=one)
    draw_curves([Panel(r"$\broken{", (curve,))], "step", "$metric$ $").savefig(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size
