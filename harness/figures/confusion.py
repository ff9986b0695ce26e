"""Which label was answered in place of which."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from harness.cells.cells import title_of
from harness.cells.choices import Split
from harness.cells.confusion import Confusion, confusion_of
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.figure import RunsFigure
from harness.figures._drawing import draw_panels, plain
from harness.figures._panels import Panel

MOST_PANELS, MOST_NAMED = 24, 12
"""Matrices in a figure, labels named at an axis."""

LONGEST = 16
"""Characters of a label's name."""


class ConfusionMatrices(RunsFigure):
    """Confusion matrices of tasks with labels: percent of each true label (row) that was answered as each (column)."""

    source = "Stehman 1997, section 2, https://doi.org/10.1016/S0034-4257(97)00083-7"

    split: Split = Field("test", description="Split reported.")

    def draw(self, results: Path) -> Any:
        """A panel for each cell, its rows the mean over seeds."""
        chosen = self.select(results, Measure(split=self.split))
        panels = []
        for comparison in chosen.comparisons:
            for cell in comparison.cells:
                if cell.ok and (found := confusion_of(cell, chosen.read, self.split)):
                    panels.append(Panel(f"{title_of(comparison)}, {chosen.label(cell.ok[0])}", (found,)))
        if not panels:
            raise SpecError(f"no run has stored predictions of {self.split}")
        if len(panels) > MOST_PANELS:
            raise SpecError(f"{len(panels)} matrices are too many for one figure; keep {MOST_PANELS} with --where")
        labels = max((panel.parts[0].labels for panel in panels), key=len)
        narrowest = 0.3 + 0.25 * min(len(labels), MOST_NAMED) + 0.055 * min(LONGEST, max(map(len, labels)))
        return draw_panels(panels, _draw, "answered", "true label", self.inches, narrowest)


def _draw(axis: Any, panel: Panel[Confusion]) -> None:
    (confusion,) = panel.parts
    counts = confusion.counts.sum(axis=0)
    of_label = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, of_label, out=np.zeros_like(counts), where=of_label > 0)
    n = len(confusion.labels)
    edges = np.arange(n + 1) - 0.5
    axis.pcolormesh(edges, edges, shares, cmap="cividis", vmin=0, vmax=100)
    axis.invert_yaxis()
    axis.grid(False)
    ticks = [place for place in range(n) if n <= MOST_NAMED or place % -(-n // MOST_NAMED) == 0]
    names = [plain(confusion.labels[place][:LONGEST]) for place in ticks]
    axis.set_xticks(ticks, names, rotation=45, ha="right", fontsize="small")
    axis.set_yticks(ticks, names, fontsize="small")
    for row, column in np.ndindex(n, n) if n <= MOST_NAMED else ():
        share = shares[row, column]
        axis.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize="small", color=_ink(share))


def _ink(share: float) -> str:
    """What can be read on the colour of a share."""
    return "black" if share > 55 else "white"
