"""What several figures draw alike: panels in a grid, one legend, one look for each series."""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.cells.curves import Curve
from harness.core.units import Unit, with_unit
from harness.figures._panels import Panel
from harness.libraries.extras import need
from harness.metric import Metric

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/, without the pale yellow."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
DASHES = ("-", "--", ":", "-.")


def looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each label, the same in every panel and unlike any other's among 56."""
    return {
        label: {
            "color": COLORS[i % len(COLORS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": DASHES[i // len(COLORS) % len(DASHES)],
        }
        for i, label in enumerate(sorted(set(labels)))
    }


def plain(text: str) -> str:
    """The text for matplotlib, which would set what stands between dollar signs as mathematics."""
    return text.replace("$", r"\$")


NARROWEST = 1.6
"""Inches of a panel, its numbers at the axes included."""


def draw_panels(
    panels: Sequence[Panel[Any]],
    draw: Callable[[Any, Panel[Any]], None],
    xlabel: str,
    ylabel: str,
    inches: float | None,
    narrowest: float = NARROWEST,
) -> Any:
    """A matplotlib figure with panels in rows and one legend for all.

    Args:
        panels: At least one.
        draw: Draws a panel into a matplotlib Axes; what has a label is in the legend.
        xlabel: Below all panels.
        ylabel: Beside them.
        inches: Width of the figure, with the legend above the panels; None: as the panels need, the legend beside.
        narrowest: Inches that a panel takes at least.
    """
    n_rows, n_columns, size = _grid(len(panels), inches, narrowest)
    figure = need("matplotlib.figure", "tables").Figure(figsize=size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for axis, panel in zip(axes, panels, strict=False):
        draw(axis, panel)
        axis.set_title(_folded(panel.title, size[0] / n_columns - 0.5), fontsize="medium")
        handles |= {label: h for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.supxlabel(_folded(xlabel, size[0]), fontsize="medium")
    figure.supylabel(_folded(ylabel, size[1]), fontsize="medium")
    if handles and inches is None:
        figure.legend(handles.values(), handles.keys(), loc="outside right center")
    elif handles and inches:
        _legend_above(figure, handles, inches)
    return figure


def _grid(n_panels: int, inches: float | None, narrowest: float) -> tuple[int, int, tuple[float, float]]:
    """Rows and columns of panels, and the size of their figure in inches."""
    if inches is None:
        n_columns = min(3, math.ceil(n_panels**0.5))
        n_rows = -(-n_panels // n_columns)
        return n_rows, n_columns, (4.2 * n_columns + 1.2, 3.2 * n_rows)
    n_columns = min(n_panels, max(1, int(inches / narrowest)))
    n_rows = -(-n_panels // n_columns)
    return n_rows, n_columns, (inches, min(0.78 * inches / n_columns, 3.2) * n_rows)


def _folded(text: str, inches: float) -> str:
    """The text in as many lines as its place needs."""
    return plain("\n".join(textwrap.wrap(text, max(12, int(inches / 0.075)), break_long_words=False)))


def _legend_above(figure: Any, handles: Mapping[str, Any], inches: float) -> None:
    """A legend in as many columns as fit, for which the figure grows."""
    longest = max((len(label) for label in handles), default=1)
    n_columns = max(1, min(len(handles), int(inches / (0.5 + 0.06 * longest))))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.15 * -(-len(handles) // n_columns) + 0.1)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=n_columns,
        columnspacing=1,
        borderaxespad=0.2,
    )


def draw_curves(panels: Sequence[Panel[Curve]], xlabel: str, ylabel: str, inches: float | None = None) -> Any:
    """Lines with a band of a half-width around them."""
    look = looks(curve.label for panel in panels for curve in panel.parts)

    def draw(axis: Any, panel: Panel[Curve]) -> None:
        opacity = min(0.15, 1.2 / max(1, len(panel.parts)))  # of many bands one above the other lines stay visible
        for curve in panel.parts:
            low, high = curve.mean - curve.half_width, curve.mean + curve.half_width
            every = max(1, len(curve.x) // 10)
            axis.plot(curve.x, curve.mean, **look[curve.label], markersize=4, markevery=every, label=plain(curve.label))
            axis.fill_between(curve.x, low, high, color=look[curve.label]["color"], alpha=opacity, linewidth=0)

    return draw_panels(panels, draw, xlabel, ylabel, inches)


def metric_label(metrics: Iterable[Metric], split: str) -> str:
    """What an axis of some metrics' values says: metric and unit where they are one, and whether lower is better."""
    found = {metric.name: metric for metric in metrics}
    name = next(iter(found)).replace("_", " ") if len(found) == 1 else "primary metric"
    units = {metric.is_percent for metric in found.values()}
    unit = " (percent)" if units == {True} else "" if units == {False} else " (percent, or in its own unit)"
    is_lower = {not metric.higher_is_better for metric in found.values()}
    better = ", lower is better" if is_lower == {True} else ""
    return f"{name} on {split}{unit}{better}"


def show_unit(axis: Any, unit: Unit) -> None:
    """Numbers of a matplotlib axis (``xaxis``, ``yaxis``) as they stand in tables: 1.2GB, 300k, 45.0s."""
    axis.set_major_formatter(lambda value, _: with_unit(value, unit))
