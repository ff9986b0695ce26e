"""Quality against the number of training examples."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.cells.cells import Comparison, Label
from harness.cells.curves import Curve
from harness.cells.scores import Measure, Scored, score_cells
from harness.core.errors import HarnessWarning, SpecError
from harness.figure import ScoresFigure
from harness.figures._drawing import draw_curves, metric_label
from harness.figures._panels import Panel


class DataCurve(ScoresFigure):
    """Quality against the number of training examples: mean over seeds in its 95 % interval.

    The runs differ in task.train_limit or task.train_per_class, which are the axes train_limits and train_per_class of
    a suite.
    """

    source = "Cortes et al. 1993, Learning curves: asymptotic values and rate of convergence, NeurIPS 6"
    apart: ClassVar[tuple[str, ...]] = ("task.train_limit", "task.train_per_class")

    def draw(self, results: Path) -> Any:
        """A panel for each task, base and quantization; examples on a logarithmic scale."""
        chosen = self.select(results, self.measure)
        panels = data_panels(chosen.comparisons, chosen.label, self.measure, len(self.apart))
        if not any(len(curve.x) > 1 for panel in panels for curve in panel.parts):
            raise SpecError(
                "no method has results with two numbers of training examples; a suite with train_limits = [100, 300] "
                "or train_per_class = [8, 32] makes some"
            )
        scored = [one for each in chosen.comparisons for one in score_cells(each, self.measure)]
        ylabel = metric_label((one.metric for one in scored), self.split)
        figure = draw_curves(panels, "training examples", ylabel, self.inches)
        for axis in figure.axes:
            axis.set_xscale("log")
        return figure


def data_panels(comparisons: Sequence[Comparison], label: Label, measure: Measure, n_apart: int) -> list[Panel[Curve]]:
    """A panel for the comparisons whose keys agree after the first ``n_apart`` values; in it a curve of each label.

    A cell whose mean is no finite number has no place; a ``HarnessWarning`` names it.
    """
    found: defaultdict[str, defaultdict[str, list[Scored]]] = defaultdict(lambda: defaultdict(list))
    for comparison in comparisons:
        title = ", ".join(str(value) for value in comparison.key[n_apart:]) or "all runs"
        for scored in score_cells(comparison, measure):
            name = label(scored.runs[0])
            if scored.is_finite:
                found[title][name].append(scored)
            else:
                warnings.warn(f"{title}: not drawn, as not finite: {name}", HarnessWarning, stacklevel=2)
    return [
        Panel(title, tuple(_curve(name, cells) for name, cells in sorted(by_label.items())))
        for title, by_label in sorted(found.items())
    ]


def _curve(label: str, cells: Sequence[Scored]) -> Curve:
    points = sorted(
        (np.mean([run.data.sizes.get("train", 0) for run in one.runs]), one.interval.mean, one.interval.half_width or 0)
        for one in cells
    )
    sizes, means, half_widths = np.array(points, dtype=float).T
    curve = Curve(label, sizes, means, half_widths)
    return curve.times(100) if cells[0].metric.is_percent else curve
