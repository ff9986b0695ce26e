"""Learning curves."""

from pathlib import Path
from typing import Any

from pydantic import Field

from harness.cells.cells import title_of
from harness.cells.curves import XAxis, mean_curves
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.figure import RunsFigure
from harness.figures._drawing import draw_curves
from harness.figures._panels import Panel


class LearningCurves(RunsFigure):
    """Learning curves: mean over seeds in its 95 % interval."""

    source = "Henderson et al. 2018, Deep Reinforcement Learning that Matters, https://arxiv.org/abs/1709.06560"

    y: str | None = Field(None, description="Column of the curves; default: the primary metric on validation.")
    x: XAxis = Field("step", description="Horizontal axis.")

    def draw(self, results: Path) -> Any:
        """A panel for each comparison."""
        chosen = self.select(results, Measure(split="validation"))
        panels = [
            Panel(title_of(comparison), mean_curves(comparison, chosen.label, self.y, self.x))
            for comparison in chosen.comparisons
        ]
        if not any(panel.parts for panel in panels):
            runs = [run for comparison in chosen.comparisons for cell in comparison.cells for run in cell.ok]
            there = ", ".join(sorted({name for run in runs for row in run.curve for name in row})) or "nothing"
            raise SpecError(f"no curve has {self.y or 'a validation metric'!r}; the curves have {there}")
        return draw_curves(panels, self.x, self.y or "primary metric on validation")
