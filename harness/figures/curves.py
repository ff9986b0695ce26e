"""Learning curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.cells.cells import title_of
from harness.cells.curves import Curve, XAxis, mean_curves
from harness.cells.scores import Measure
from harness.core.errors import SpecError
from harness.figure import RunsFigure
from harness.figures._drawing import draw_curves, metric_label
from harness.figures._panels import Panel
from harness.metric import Metric, metric_named


class LearningCurves(RunsFigure):
    """Learning curves: mean over seeds in its 95 % interval."""

    source = "Henderson et al. 2018, Deep Reinforcement Learning that Matters, https://arxiv.org/abs/1709.06560"

    y: str | None = Field(None, description="Column of the curves; default: the primary metric on validation.")
    x: XAxis = Field("step", description="Horizontal axis.")

    def draw(self, results: Path) -> Any:
        """A panel for each comparison."""
        chosen = self.select(results, Measure(split="validation"))
        columns = [self.y or f"validation/{each.cells[0].runs[0].primary_metric}" for each in chosen.comparisons]
        panels = [
            Panel(title_of(each), _shown(mean_curves(each, chosen.label, self.y, self.x), column))
            for each, column in zip(chosen.comparisons, columns, strict=True)
        ]
        if not any(panel.parts for panel in panels):
            runs = [run for comparison in chosen.comparisons for cell in comparison.cells for run in cell.ok]
            there = ", ".join(sorted({name for run in runs for row in run.curve for name in row})) or "nothing"
            raise SpecError(f"no curve has {self.y or 'a validation metric'!r}; the curves have {there}")
        metrics = [metric for column in columns if (metric := _metric_of(column))]
        ylabel = metric_label(metrics, columns[0].partition("/")[0]) if metrics else columns[0].replace("_", " ")
        return draw_curves(panels, self.x, ylabel, self.inches)


def _metric_of(column: str) -> Metric | None:
    """The metric that a column of the curves holds, as ``validation/accuracy`` does; None of a loss."""
    _, _, name = column.partition("/")
    return metric_named(name) if name else None


def _shown(curves: Sequence[Curve], column: str) -> tuple[Curve, ...]:
    """The curves in percent where their metric is shown so."""
    metric = _metric_of(column)
    return tuple(curve.times(100) if metric and metric.is_percent else curve for curve in curves)
