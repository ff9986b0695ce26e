"""The numbers behind the figures, without a drawing library."""

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from harness.cells.answered import answer_cells
from harness.cells.cells import Comparison, Label, title_of
from harness.cells.scores import Measure, Scored, score_cells
from harness.core.errors import HarnessWarning, SpecError
from harness.statistics.intervals import Floats, Interval, Ranking, mean_interval, rank_methods
from harness.statistics.pareto import Candidate, costs_of, is_dominated, pareto_membership
from harness.storage.predictions import Read


@dataclass(frozen=True)
class Point:
    """A cell between cost and quality; ``membership`` is the probability of being on the front, if known."""

    label: str
    quality: Interval
    cost: Interval
    is_front: bool
    membership: float | None


@dataclass(frozen=True)
class Curve:
    """Mean over seeds at each step, and the half-width of its 95 % t-interval (0 for one seed); shapes (steps,)."""

    label: str
    x: Floats
    mean: Floats
    half_width: Floats


Part = TypeVar("Part", Point, Curve)


@dataclass(frozen=True)
class Panel(Generic[Part]):
    """One comparison of a figure."""

    title: str
    parts: tuple[Part, ...]


def pareto_panel(comparison: Comparison, label: Label, measure: Measure, cost: str, read: Read) -> Panel[Point]:
    """Quality against a cost, with the front of the means and each cell's probability of being on it.

    A cell whose quality or cost is no finite number has no place; a ``HarnessWarning`` names it.
    """
    scored_cells = score_cells(comparison, measure)
    with_costs = [(one, np.array([costs_of(run, [cost])[0] for run in one.runs])) for one in scored_cells]
    placed = [(one, values) for one, values in with_costs if one.is_finite and _is_finite(values)]
    if left_out := [label(one.runs[0]) for one in scored_cells if all(one is not other for other, _ in placed)]:
        text = f"{title_of(comparison)}: not drawn, as not finite: {', '.join(left_out)}"
        warnings.warn(text, HarnessWarning, stacklevel=2)
    cells, costs = [one for one, _ in placed], [values for _, values in placed]
    quality = np.array([scored.interval.mean for scored in cells])
    losses = np.stack([-quality, np.array([values.mean() for values in costs])], axis=1)
    points = zip(cells, costs, is_dominated(losses), _membership(cells, costs, cost, measure, read), strict=True)
    return Panel(
        title_of(comparison),
        tuple(
            Point(label(scored.runs[0]), scored.interval, mean_interval(values.tolist()), not dominated, chance)
            for scored, values, dominated, chance in points
        ),
    )


def _is_finite(values: Floats) -> bool:
    found = mean_interval(values.tolist())
    return math.isfinite(found.mean) and math.isfinite(found.sd or 0.0)


def _membership(
    cells: Sequence[Scored], costs: Sequence[Floats], cost: str, measure: Measure, read: Read
) -> list[float | None]:
    """Probabilities, or None for every cell where predictions, shared seeds or rivals are missing."""
    answered = answer_cells(cells, read, measure.split) if measure.checkpoint == "chosen" else []
    known = [found.resampled for found in answered if found]
    if len(known) < max(2, len(cells)) or not set.intersection(*(set(found.seeds) for found in known)):
        return [None] * len(cells)
    candidates = [Candidate(found, {cost: values}) for found, values in zip(known, costs, strict=True)]
    return pareto_membership(candidates, ("quality", cost)).tolist()


def curve_panel(comparison: Comparison, label: Label, field: str | None, x: str) -> Panel[Curve]:
    """A column of the curves against ``step`` or ``seconds``; by default the primary metric on validation."""
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


def rank_panel(comparisons: Sequence[Comparison], label: Label, measure: Measure) -> tuple[Ranking, list[str]]:
    """Ranks of the methods that every comparison has, and their labels.

    Raises:
        SpecError: fewer than two comparisons or three such methods.
    """
    tables = [
        {label(scored.runs[0]): scored.interval.mean for scored in score_cells(comparison, measure) if scored.is_finite}
        for comparison in comparisons
    ]
    labels = sorted(set.intersection(*map(set, tables))) if tables else []
    if len(tables) < 2 or len(labels) < 3:
        left_out = sorted(set().union(*tables) - set(labels)) if tables else []
        missing = f"; {', '.join(left_out)} lack some" if left_out else ""
        raise SpecError(
            f"ranks need three methods with results in each of two settings or more; here {len(labels)} methods have "
            f"results in all {len(tables)} settings{missing}"
        )
    return rank_methods([[table[label] for label in labels] for table in tables]), labels
