"""Quality against a cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from harness.cells.answered import answer_cells
from harness.cells.cells import Comparison, Label, title_of
from harness.cells.scores import Measure, Scored, score_cells
from harness.core.errors import SpecError, unknown
from harness.figure import ScoresFigure
from harness.figures._drawing import draw_panels, looks, metric_label, plain, show_unit
from harness.figures._panels import Panel, tell_left_out
from harness.metric import Metric
from harness.probe import Quantity, quantities
from harness.statistics.intervals import Floats, Interval, mean_interval
from harness.statistics.pareto import Candidate, is_dominated, pareto_membership
from harness.storage.predictions import Read
from harness.storage.record import Record


class ParetoFront(ScoresFigure):
    """Quality against a cost: intervals over seeds, the Pareto front, and the probability of being on it if unsure."""

    source = "Deb 2001, Multi-Objective Optimization Using Evolutionary Algorithms, section 2.4, ISBN 978-0471873396"

    cost: str = Field("trainable_params", description="Horizontal axis: a quantity, see `list probes`.")

    @field_validator("cost")
    @classmethod
    def _is_known(cls, cost: str) -> str:
        if cost not in (known := quantities()):
            raise unknown("--cost", cost, known)
        return cost

    def draw(self, results: Path) -> Any:
        """A panel for each comparison."""
        cost = quantities()[self.cost]
        chosen = self.select(results, self.measure, [cost])
        panels = [pareto_panel(each, chosen.label, self.measure, cost, chosen.read) for each in chosen.comparisons]
        metric = self.metric or "primary metric"
        if not any(panel.parts for panel in panels):
            raise SpecError(f"no run has a {self.split} {metric} and {self.cost} that can be drawn")
        look = looks(point.label for panel in panels for point in panel.parts)
        return draw_panels(
            panels,
            lambda axis, panel: _draw_panel(axis, panel, look, cost),
            f"{cost.label}, higher is better" if cost.higher_is_better else cost.label,
            metric_label((point.metric for panel in panels for point in panel.parts), self.split),
            self.inches,
        )


CERTAIN = 0.05
"""Of a probability this near to 0 or 1, whether the point is filled says enough."""


@dataclass(frozen=True)
class Point:
    """A cell between cost and quality; ``membership`` is the probability of being on the front, if known."""

    label: str
    quality: Interval
    cost: Interval
    is_front: bool
    membership: float | None
    metric: Metric

    @property
    def scale(self) -> int:
        """What the quality is drawn times: 100 where it is shown in percent, else 1."""
        return 100 if self.metric.is_percent else 1


def pareto_panel(comparison: Comparison, label: Label, measure: Measure, cost: Quantity, read: Read) -> Panel[Point]:
    """Quality against a cost, with the front of the means and each cell's probability of being on it.

    A cell whose quality or cost is no finite number, or was not measured, has no place; a ``HarnessWarning`` names it.
    """
    scored_cells = score_cells(comparison, measure)
    with_costs = [(one, np.array([_value(cost, run) for run in one.runs])) for one in scored_cells]
    placed = [(one, values) for one, values in with_costs if one.is_finite and _is_finite(values)]
    left_out = [label(one.runs[0]) for one in scored_cells if all(one is not other for other, _ in placed)]
    tell_left_out(title_of(comparison), left_out)
    cells, costs = [one for one, _ in placed], [values for _, values in placed]
    quality = np.array([scored.merit for scored in cells])
    losses = np.stack([-quality, np.array([cost.loss(values.mean()) for values in costs])], axis=1)
    points = zip(cells, costs, is_dominated(losses), _membership(cells, costs, cost.name, measure, read), strict=True)
    return Panel(
        title_of(comparison),
        tuple(
            Point(
                label(scored.runs[0]),
                scored.interval,
                mean_interval(values.tolist()),
                not dominated,
                chance,
                scored.metric,
            )
            for scored, values, dominated, chance in points
        ),
    )


def _value(cost: Quantity, run: Record) -> float:
    value = cost.of(run)
    return math.nan if value is None else value


def _is_finite(values: Floats) -> bool:
    found = mean_interval(values.tolist())
    return math.isfinite(found.mean) and math.isfinite(found.sd or 0.0)


def _membership(
    cells: Sequence[Scored], costs: Sequence[Floats], cost: str, measure: Measure, read: Read
) -> list[float | None]:
    """Probabilities, or None for every cell where predictions, shared seeds or rivals are missing."""
    answered = answer_cells(cells, read, measure.split) if measure.checkpoint == "chosen" else []
    known = [found.resampled.times(one.metric.sign) for one, found in zip(cells, answered, strict=False) if found]
    if len(known) < max(2, len(cells)) or not set.intersection(*(set(found.seeds) for found in known)):
        return [None] * len(cells)
    candidates = [Candidate(found, {cost: values}) for found, values in zip(known, costs, strict=True)]
    return pareto_membership(candidates, ("quality", cost)).tolist()


def _draw_panel(axis: Any, panel: Panel[Point], look: dict[str, dict[str, Any]], cost: Quantity) -> None:
    for point in panel.parts:
        _draw_point(axis, point, look[point.label])
    front = sorted((point.cost.mean, point.scale * point.quality.mean) for point in panel.parts if point.is_front)
    if front:
        label = "front (filled)"
        where = "pre" if cost.higher_is_better else "post"
        axis.step(*zip(*front, strict=True), where=where, color="grey", linewidth=0.8, zorder=0, label=label)
    costs = [point.cost.mean for point in panel.parts]
    if costs and max(costs) > 30 * max(1e-9, min(costs)):
        # Symmetric logarithm: methods that train nothing have a cost of 0.
        axis.set_xscale("symlog", linthresh=max(1e-9, min(cost for cost in costs if cost > 0)))
    axis.margins(0.1)
    show_unit(axis.xaxis, cost.unit)


def _draw_point(axis: Any, point: Point, look: dict[str, Any]) -> None:
    x, y = point.cost.mean, point.scale * point.quality.mean
    axis.errorbar(
        x,
        y,
        xerr=point.cost.half_width,
        yerr=point.scale * (point.quality.half_width or 0),
        **look | {"linestyle": "none"},
        markerfacecolor=look["color"] if point.is_front else "white",
        label=plain(point.label),
        capsize=2,
        elinewidth=0.8,
    )
    if point.membership is not None and CERTAIN < point.membership < 1 - CERTAIN:
        text = f"{100 * point.membership:.0f} %"
        axis.annotate(text, (x, y), xytext=(5, 5), textcoords="offset points", fontsize="small")
