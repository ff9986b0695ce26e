"""Whatever a command writes passes here: text from outside is neither markup nor a control sequence."""

import codecs
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

Stream = Literal["stdout", "stderr"]

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, overrides of the writing direction, halves of characters."""


def printable(text: object) -> str:
    """The text with what a terminal would obey, or can't show, as ``\\uXXXX``; inside JSON that means the same."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def one_line(text: str) -> str:
    """The text with its lines joined by spaces."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def say(text: object, end: str = "\n") -> None:
    """Write a result to stdout."""
    print(printable(text), end=end)


def note(text: object) -> None:
    """Write progress or an error to stderr."""
    print(printable(text), file=sys.stderr)


def say_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Write a table to stdout: fitted to a terminal; elsewhere one line a row, whole.

    Args:
        heads: Of the columns; without text, the table has no header.
        rows: A text for each column.
        title: Written above.
    """
    shown = [[printable(cell) for cell in row] for row in (heads, *rows)]
    if title:
        say(one_line(title))
    if sys.stdout.isatty():
        _print_fitted(shown)
        return
    lines = [[one_line(cell) for cell in row] for row in shown if any(row)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_fitted(rows: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=any(rows[0]))
    for head in rows[0]:
        table.add_column(Text(head))
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    console("stdout").print(table)


def console(stream: Stream) -> "Console":
    """A console for what moves (progress, a spinner), which takes text as it is."""
    from rich.console import Console

    return Console(stderr=stream == "stderr", markup=False, highlight=False, emoji=False)


def set_up() -> None:
    """Make writing safe: what an encoding lacks is escaped, a closed stderr takes everything.

    Raises:
        HarnessError: stdout is closed.
    """
    codecs.register_error("escape", _escape)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for as long as the program runs)
    if sys.stdout is None:
        raise HarnessError("standard output is closed, so there is nowhere to write to; send it to a file")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)), error.end
