"""Figures as files, in one style; the same drawing gives the same bytes."""

from pathlib import Path
from typing import Any, Literal

from harness.core.errors import SpecError
from harness.figure import Figure
from harness.libraries.extras import need

FileFormat = Literal["png", "pdf", "svg"]

UNDATED: dict[str, dict[str, None] | None] = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata by format: none that differs from one day to the next."""

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "font.size": 9,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
    "pdf.fonttype": 42,  # TrueType: publishers refuse matplotlib's Type 3
    "svg.hashsalt": "harness",
}


PRINTED = {"savefig.bbox": None, "font.size": 7.5, "lines.linewidth": 1.0, "lines.markersize": 4, "axes.linewidth": 0.6}
"""Where a width is asked for: that of the file, and fonts that are read at that size."""


def write_figure(figure: Figure, results: Path, out: Path, format: FileFormat = "png") -> list[Path]:
    """Draw a figure of a results folder into a file whose suffix names the format, or into a folder if it is many.

    Args:
        figure: What is drawn.
        results: Of what.
        out: The file, or the folder of many.
        format: Of the files of many.

    Returns:
        The files written.

    Raises:
        SpecError: nothing to draw, another suffix, a file that can't be written, or no matplotlib.
    """
    matplotlib = need("matplotlib", "tables")
    if not figure.is_many:
        _format(out)
    with matplotlib.rc_context(STYLE if figure.inches is None else STYLE | PRINTED):
        drawn: Any = figure.draw(results)
        files = {out / f"{name}.{format}": one for name, one in drawn.items()} if figure.is_many else {out: drawn}
        for path, drawing in files.items():
            _scale(drawing, figure.inches)
            _save(drawing, path)
    return list(files)


def _format(path: Path) -> str:
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in UNDATED:
        raise SpecError(f"--out must end in {', '.join(f'.{name}' for name in UNDATED)}; got {str(path)!r}")
    return suffix


def _scale(drawing: Any, inches: float | None) -> None:
    """Give a drawing the width that was asked for, and nothing outside of it."""
    width, height = drawing.get_size_inches()
    if inches is not None and width != inches:
        drawing.set_size_inches(inches, height * inches / width)
    if inches is not None and drawing.get_layout_engine() is None:
        drawing.set_layout_engine("constrained")


def _save(drawing: Any, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, metadata=UNDATED[_format(path)])
    except OSError as error:
        raise SpecError(f"can't write {path}: {error.strerror}; choose another --out") from None
