"""The mean curve of a cell over its seeds."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.cells.cells import Comparison, Label
from harness.statistics.intervals import Floats, mean_interval

XAxis = Literal["step", "seconds"]


@dataclass(frozen=True)
class Curve:
    """A value at each x, and the half-width of the band around it; shapes (x,)."""

    label: str
    x: Floats
    mean: Floats
    half_width: Floats

    def times(self, scale: float) -> "Curve":
        """With every value times a scale."""
        return Curve(self.label, self.x, scale * self.mean, scale * self.half_width)


def mean_curves(comparison: Comparison, label: Label, field: str | None, x: XAxis) -> tuple[Curve, ...]:
    """A column of each cell's curves against ``step`` or ``seconds``, with 95 % t-intervals (of one seed: no width).

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
    return tuple(curves)
