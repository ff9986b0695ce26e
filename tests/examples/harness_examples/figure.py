"""Every seed as a dot."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from harness.cells.cells import title_of
from harness.cells.scores import score_cells
from harness.core.errors import SpecError
from harness.figure import ScoresFigure


class Seeds(ScoresFigure):
    """The score of every seed as a dot, in a column for each cell: what a mean and its interval hide."""

    source = "Weissgerber et al. 2015, Beyond Bar and Line Graphs, https://doi.org/10.1371/journal.pbio.1002128"

    spread: float = Field(0.3, ge=0, le=1, description="Width of a column of dots; 1 leaves no gap.")

    def draw(self, results: Path) -> Any:
        from matplotlib.figure import Figure

        chosen = self.select(results, self.measure)
        columns = {
            f"{title_of(comparison)}, {chosen.label(cell.runs[0])}".replace("$", r"\$"): list(cell.scores.values())
            for comparison in chosen.comparisons
            for cell in score_cells(comparison, self.measure)
            if cell.is_finite
        }
        if not columns:
            raise SpecError(f"no run has a finite {self.split} {self.metric or 'metric'}")
        drawing = Figure(figsize=(6, 0.6 + 0.3 * len(columns)), layout="constrained")
        axis = drawing.subplots()
        for row, scores in enumerate(columns.values()):
            axis.plot(scores, row + self.spread * (np.linspace(0, 1, len(scores)) - 0.5), "o", alpha=0.7)
        axis.set_yticks(range(len(columns)), columns)
        axis.set_xlabel(f"{self.split} {self.metric or 'primary metric'}")
        return drawing
