"""What several figures draw alike: panels in a grid, one legend, one look for each series."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.cells.curves import Curve
from harness.figures._panels import Panel
from harness.libraries.extras import need

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


def draw_panels(panels: Sequence[Panel[Any]], draw: Callable[[Any, Panel[Any]], None], xlabel: str, ylabel: str) -> Any:
    """A matplotlib figure with up to three panels in a row and one legend for all.

    Args:
        panels: At least one.
        draw: Draws a panel into a matplotlib Axes; what has a label is in the legend.
        xlabel: Below all panels.
        ylabel: Beside them.
    """
    n_columns = min(3, math.ceil(len(panels) ** 0.5))
    n_rows = -(-len(panels) // n_columns)
    figure = need("matplotlib.figure", "tables").Figure(
        figsize=(4.2 * n_columns + 1.2, 3.2 * n_rows), layout="constrained"
    )
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for axis, panel in zip(axes, panels, strict=False):
        draw(axis, panel)
        axis.set_title(plain(panel.title), fontsize=9)
        handles |= {label: h for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.legend(handles.values(), handles.keys(), loc="outside right center")
    figure.supxlabel(plain(xlabel), fontsize=9)
    figure.supylabel(plain(ylabel), fontsize=9)
    return figure


def draw_curves(panels: Sequence[Panel[Curve]], xlabel: str, ylabel: str) -> Any:
    """Lines with a band of a half-width around them."""
    look = looks(curve.label for panel in panels for curve in panel.parts)

    def draw(axis: Any, panel: Panel[Curve]) -> None:
        for curve in panel.parts:
            low, high = curve.mean - curve.half_width, curve.mean + curve.half_width
            every = max(1, len(curve.x) // 10)
            axis.plot(curve.x, curve.mean, **look[curve.label], markersize=4, markevery=every, label=plain(curve.label))
            axis.fill_between(curve.x, low, high, color=look[curve.label]["color"], alpha=0.15, linewidth=0)

    return draw_panels(panels, draw, xlabel, ylabel)
