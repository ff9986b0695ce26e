"""Quality and many quantities side by side, where a front in two dimensions no longer tells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from harness.cells.cells import Comparison, Label, title_of
from harness.cells.scores import Measure, Scored, score_cells
from harness.core.errors import SpecError, unknown
from harness.core.units import Unit, with_unit
from harness.figure import ScoresFigure
from harness.figures._drawing import draw_panels, looks, plain
from harness.figures._panels import Panel, tell_left_out
from harness.probe import Quantity, quantities
from harness.statistics.intervals import Floats, Interval, mean_interval
from harness.statistics.pareto import is_dominated


class ParallelCoordinates(ScoresFigure):
    """Quality and several quantities, an axis each: a line for each method, faint where another is nowhere worse.

    Means over seeds in their 95 % intervals. Every axis has its better end above and runs from the worst to the best
    end of an interval on it, as the numbers there say; where these differ more than 30 times it is logarithmic.
    """

    source = "Inselberg 1985, The plane with parallel coordinates, https://doi.org/10.1007/BF01898350"

    quantity: tuple[str, ...] = Field(
        ("trainable_params", "train_seconds"),
        min_length=1,
        description="A quantity, see `list probes`; may be repeated.",
    )

    @field_validator("quantity")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in (known := quantities()):
                raise unknown("--quantity", name, known)
        if len(set(names)) < len(names):
            raise SpecError(f"--quantity has the same name twice; got {', '.join(names)}")
        return names

    def draw(self, results: Path) -> Any:
        """A panel for each comparison."""
        asked = [quantities()[name] for name in self.quantity]
        chosen = self.select(results, self.measure, asked)
        panels = [parallel_panel(each, chosen.label, self.measure, asked) for each in chosen.comparisons]
        if not any(panel.parts for panel in panels):
            raise SpecError(f"no run has all of {self.measure.split} quality, {', '.join(self.quantity)}")
        look = looks(line.label for panel in panels for line in panel.parts)
        return draw_panels(
            panels,
            lambda axis, panel: _draw_panel(axis, panel, look, asked),
            "faint: another method is nowhere worse and somewhere better",
            "better above",
            self.inches,
            narrowest=0.6 * (1 + len(asked)),
        )


@dataclass(frozen=True)
class Line:
    """A cell's quality and quantities: the metric first, in percent where it is shown so, then as they were asked."""

    label: str
    metric: str
    higher_is_better: bool
    values: tuple[Interval, ...]
    is_dominated: bool


def parallel_panel(comparison: Comparison, label: Label, measure: Measure, asked: Sequence[Quantity]) -> Panel[Line]:
    """Means over seeds of quality and quantities, and whether another cell's are nowhere worse and somewhere better.

    A cell without a finite number on every axis has no place; a ``HarnessWarning`` names it.
    """
    placed: list[tuple[Scored, tuple[Interval, ...]]] = []
    left_out = []
    for scored in score_cells(comparison, measure):
        values = _values(scored, asked)
        if all(math.isfinite(one.mean) and math.isfinite(one.sd or 0) for one in values):
            placed.append((scored, values))
        else:
            left_out.append(label(scored.runs[0]))
    tell_left_out(title_of(comparison), left_out)
    losses = [
        [-scored.metric.sign * values[0].mean, *(q.loss(one.mean) for q, one in zip(asked, values[1:], strict=True))]
        for scored, values in placed
    ]
    dominated = is_dominated(np.array(losses).reshape(len(losses), 1 + len(asked)))
    return Panel(
        title_of(comparison),
        tuple(
            Line(label(scored.runs[0]), scored.metric.name, scored.metric.higher_is_better, values, bool(worse))
            for (scored, values), worse in zip(placed, dominated, strict=True)
        ),
    )


def _values(scored: Scored, asked: Sequence[Quantity]) -> tuple[Interval, ...]:
    scale = 100 if scored.metric.is_percent else 1
    rows = [[scale * score for score in scored.scores.values()]]
    rows += [[math.nan if (value := one.of(run)) is None else value for run in scored.runs] for one in asked]
    return tuple(mean_interval(row) for row in rows)


def _draw_panel(axis: Any, panel: Panel[Line], look: dict[str, dict[str, Any]], asked: Sequence[Quantity]) -> None:
    if not panel.parts:
        return
    for line in panel.parts:
        axis.plot([], [], **look[line.label], markersize=4, label=plain(line.label))  # the legend's, never faint
    first = panel.parts[0]
    names = [first.metric.replace("_", " "), *(one.label for one in asked)]
    is_up = [first.higher_is_better, *(one.higher_is_better for one in asked)]
    units: list[Unit] = ["", *(one.unit for one in asked)]
    heights = []
    for place, (unit, up) in enumerate(zip(units, is_up, strict=True)):
        ends = np.array([_ends(line.values[place]) for line in panel.parts])
        worst, best = (ends.min(), ends.max()) if up else (ends.max(), ends.min())
        heights.append(_heights(ends, worst, best))
        axis.axvline(place, color="grey", linewidth=0.6, zorder=0)
        axis.text(place, -0.05, with_unit(float(worst), unit), ha="center", va="top", fontsize="x-small")
        axis.text(place, 1.05, with_unit(float(best), unit), ha="center", va="bottom", fontsize="x-small")
    for line, points in zip(panel.parts, np.stack(heights, axis=1), strict=True):
        middle = points[:, 1]
        around = np.abs(points[:, (0, 2)] - middle[:, None]).T
        opacity = 0.3 if line.is_dominated else 1
        axis.errorbar(range(len(middle)), middle, around, **look[line.label], alpha=opacity, markersize=4, capsize=2)
    axis.set_xticks(range(len(names)), [plain(name.replace(" ", "\n")) for name in names], fontsize="x-small")
    axis.set_yticks([])
    axis.set_ylim(-0.2, 1.2)


def _ends(value: Interval) -> tuple[float, float, float]:
    """Lower end, mean, upper end."""
    half = value.half_width or 0
    return value.mean - half, value.mean, value.mean + half


def _heights(values: Floats, worst: float, best: float) -> Floats:
    """0 at the worst, 1 at the best; on a logarithmic scale where positive values differ more than 30 times."""
    if best == worst:
        return np.full_like(values, 0.5)
    if values.min() > 0 and values.max() > 30 * values.min():
        values, worst, best = np.log(values), math.log(worst), math.log(best)
    return (values - worst) / (best - worst)
