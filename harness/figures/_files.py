"""Figures as files, in one style; the same drawing gives the same bytes."""

from pathlib import Path
from typing import Any

from harness.core.errors import SpecError
from harness.figure import Figure
from harness.libraries.extras import need

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


def write_figure(figure: Figure, results: Path, out: Path) -> list[Path]:
    """Draw a figure of a results folder into a file whose suffix names the format, or into a folder if it is many.

    Returns:
        The files written; those of many figures are PNG.

    Raises:
        SpecError: nothing to draw, another suffix, a file that can't be written, or no matplotlib.
    """
    matplotlib = need("matplotlib", "tables")
    if not figure.is_many:
        _format(out)
    with matplotlib.rc_context(STYLE):
        drawn: Any = figure.draw(results)
        files = {out / f"{name}.png": one for name, one in drawn.items()} if figure.is_many else {out: drawn}
        for path, drawing in files.items():
            _save(drawing, path)
    return list(files)


def _format(path: Path) -> str:
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in UNDATED:
        raise SpecError(f"--out must end in {', '.join(f'.{name}' for name in UNDATED)}; got {str(path)!r}")
    return suffix


def _save(drawing: Any, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, metadata=UNDATED[_format(path)])
    except OSError as error:
        raise SpecError(f"can't write {path}: {error.strerror}; choose another --out") from None
