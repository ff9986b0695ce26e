"""Learning curves."""

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.cells.cells import Comparison, Label, title_of
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.figure import RunsFigure
from harness.figures._drawing import draw_curves
from harness.figures._panels import Curve, Panel
from harness.statistics.intervals import mean_interval

XAxis = Literal["step", "seconds"]


class LearningCurves(RunsFigure):
    """Learning curves: mean over seeds in its 95 % interval."""

    source = "Henderson et al. 2018, Deep Reinforcement Learning that Matters, https://arxiv.org/abs/1709.06560"

    y: str | None = Field(None, description="Column of the curves; default: the primary metric on validation.")
    x: XAxis = Field("step", description="Horizontal axis.")

    def draw(self, results: Path) -> Any:
        """A panel for each comparison."""
        chosen = self.select(results, Measure(split="validation"))
        panels = [curve_panel(comparison, chosen.label, self.y, self.x) for comparison in chosen.comparisons]
        if not any(panel.parts for panel in panels):
            runs = [run for comparison in chosen.comparisons for cell in comparison.cells for run in cell.ok]
            there = ", ".join(sorted({name for run in runs for row in run.curve for name in row})) or "nothing"
            raise SpecError(f"no curve has {self.y or 'a validation metric'!r}; the curves have {there}")
        return draw_curves(panels, self.x, self.y or "primary metric on validation")


def curve_panel(comparison: Comparison, label: Label, field: str | None, x: XAxis) -> Panel[Curve]:
    """A column of the curves against ``step`` or ``seconds``, with 95 % t-intervals (of one seed: no width).

    By default the primary metric on validation. Steps at which a value is no finite number are gaps.
    """
    curves = []
    for cell in comparison.cells:
        y = field or f"validation/{cell.runs[0].primary_metric}"
        points: defaultdict[float, list[tuple[float, float]]] = defaultdict(list)
        for run in cell.ok:
            for row in run.curve:
                if y in row and x in row:
                    points[row["step"]].append((row[x], row[y]))
        if points:
            by_step = [zip(*points[step], strict=True) for step in sorted(points)]
            means = [(float(np.mean(xs)), mean_interval(ys)) for xs, ys in by_step]
            curves.append(
                Curve(
                    label(cell.ok[0]),
                    np.array([x for x, _ in means]),
                    np.array([interval.mean for _, interval in means]),
                    np.array([interval.half_width or 0.0 for _, interval in means]),
                )
            )
    return Panel(title_of(comparison), tuple(curves))
