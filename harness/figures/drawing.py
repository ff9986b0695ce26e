"""Figures of a paper, drawn by matplotlib without a display; the same records give the same bytes."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import SpecError
from harness.figures.panels import Curve, Panel, Point
from harness.libraries.extras import need
from harness.statistics.intervals import LEVEL, Ranking

FORMATS = ("png", "pdf", "svg")

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 9,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "harness",
}


def save(figure: Any, path: Path) -> None:
    """Write a figure in the format of the file's suffix.

    Raises:
        SpecError: another suffix, or the file can't be written.
    """
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise SpecError(f"--out must end in {', '.join(f'.{name}' for name in FORMATS)}; got {str(path)!r}")
    undated = {"png": None, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[suffix]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with need("matplotlib", "tables").rc_context(STYLE):
            figure.savefig(path, metadata=undated)
    except OSError as error:
        raise SpecError(f"can't write {path}: {error.strerror}; choose another --out") from None


def _subplots(panels: Sequence[Panel[Any]], draw: Callable[[Any, Panel[Any]], None], xlabel: str, ylabel: str) -> Any:
    """A figure with up to three panels in a row and one legend for all."""
    matplotlib = need("matplotlib", "tables")
    n_columns = min(3, math.ceil(len(panels) ** 0.5))
    n_rows = -(-len(panels) // n_columns)
    with matplotlib.rc_context(STYLE):
        figure = need("matplotlib.figure", "tables").Figure(
            figsize=(4.2 * n_columns + 1.2, 3.2 * n_rows), layout="constrained"
        )
        axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axis, panel in zip(axes, panels, strict=False):
            draw(axis, panel)
            axis.set_title(_plain(panel.title), fontsize=9)
        for axis in axes[len(panels) :]:
            axis.remove()
        handles = {
            label: h for axis in axes[: len(panels)] for h, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside right center")
        figure.supxlabel(xlabel, fontsize=9)
        figure.supylabel(ylabel, fontsize=9)
    return figure


def _plain(text: str) -> str:
    """The text for matplotlib, which would set what stands between dollar signs as mathematics."""
    return text.replace("$", r"\$")


def _colors(labels: Sequence[str]) -> dict[str, Any]:
    """The same colour for the same label in every panel."""
    cycle = need("matplotlib", "tables").color_sequences["tab10"]
    return {label: cycle[i % len(cycle)] for i, label in enumerate(sorted(set(labels)))}


def pareto_figure(panels: Sequence[Panel[Point]], xlabel: str, ylabel: str) -> Any:
    """Quality (percent) against a cost, with 95 % intervals, the front, and the probability of being on it."""
    colors = _colors([point.label for panel in panels for point in panel.parts])

    def draw(axis: Any, panel: Panel[Point]) -> None:
        for point in panel.parts:
            axis.errorbar(
                point.cost.mean,
                100 * point.quality.mean,
                xerr=point.cost.half_width,
                yerr=100 * (point.quality.half_width or 0),
                fmt="o" if point.is_front else "x",
                color=colors[point.label],
                label=_plain(point.label),
                capsize=2,
                elinewidth=0.8,
            )
            if point.membership is not None:
                axis.annotate(
                    f"{100 * point.membership:.0f} %",
                    (point.cost.mean, 100 * point.quality.mean),
                    xytext=(5, 5),
                    textcoords="offset points",
                    fontsize=7,
                )
        front = sorted((point.cost.mean, 100 * point.quality.mean) for point in panel.parts if point.is_front)
        if front:
            axis.step(*zip(*front, strict=True), where="post", color="grey", linewidth=0.8, zorder=0)
        costs = [point.cost.mean for point in panel.parts]
        if costs and max(costs) > 30 * max(1e-9, min(costs)):
            # Symmetric logarithm: methods that train nothing have a cost of 0.
            axis.set_xscale("symlog", linthresh=max(1e-9, min(cost for cost in costs if cost > 0)))
        axis.margins(0.1)

    return _subplots(panels, draw, xlabel, ylabel)


def curve_figure(panels: Sequence[Panel[Curve]], xlabel: str, ylabel: str) -> Any:
    """Learning curves: the mean over seeds in its 95 % interval."""
    colors = _colors([curve.label for panel in panels for curve in panel.parts])

    def draw(axis: Any, panel: Panel[Curve]) -> None:
        for curve in panel.parts:
            mean, half_width, color = curve.mean, curve.half_width, colors[curve.label]
            axis.plot(curve.x, mean, color=color, label=_plain(curve.label), marker="." if len(mean) < 20 else None)
            axis.fill_between(curve.x, mean - half_width, mean + half_width, color=color, alpha=0.15, linewidth=0)

    return _subplots(panels, draw, xlabel, ylabel)


def critical_difference_figure(ranking: Ranking, labels: Sequence[str]) -> Any:
    """Average ranks on a line, best at the left; a bar joins methods that Nemenyi's test doesn't separate.

    Source:
        Demšar 2006, figure 1, https://jmlr.org/papers/v7/demsar06a.html
    """
    matplotlib = need("matplotlib", "tables")
    k, cliques = len(labels), ranking.cliques()
    order = ranking.average_ranks.argsort(kind="stable")
    bars = 0.25 * len(cliques)
    depth = bars + 0.35 * ((k + 1) // 2) + 0.3
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = need("matplotlib.figure", "tables").Figure(figsize=(7, 1.3 + 0.75 * depth), layout="constrained")
        axis = figure.subplots()
        axis.set(xlim=(1 - 0.25 * k, k + 0.25 * k), ylim=(-depth, 1.1))
        axis.axis("off")
        axis.hlines(0, 1, k, color="black", linewidth=1)
        for rank in range(1, k + 1):
            axis.vlines(rank, 0, 0.1, color="black", linewidth=1)
            axis.text(rank, 0.15, str(rank), ha="center", va="bottom")
        axis.hlines(0.75, 1, 1 + ranking.critical_difference, color="black", linewidth=1.5)
        axis.text(
            1 + ranking.critical_difference,
            0.75,
            f"  critical difference {ranking.critical_difference:.2f}",
            va="center",
        )
        for place, index in enumerate(order):
            left = place < (k + 1) // 2
            row = place if left else k - 1 - place
            y, rank = -(bars + 0.3 + 0.35 * row), ranking.average_ranks[index]
            end = 1 - 0.04 * k if left else k + 0.04 * k
            axis.plot([rank, rank, end], [0, y, y], color="grey", linewidth=0.8)
            text = f"{labels[index]} ({rank:.2f}) " if left else f" {labels[index]} ({rank:.2f})"
            axis.text(end, y, _plain(text), ha="right" if left else "left", va="center")
        for number, clique in enumerate(cliques):
            ranks = ranking.average_ranks[list(clique)]
            axis.hlines(-0.2 - 0.25 * number, ranks.min() - 0.03, ranks.max() + 0.03, color="black", linewidth=3)
        axis.set_title(
            f"Average rank over {ranking.n_settings} settings; Friedman p = {ranking.friedman_p:.2g}, "
            f"bars: Nemenyi at {100 * LEVEL:.0f} %",
            fontsize=9,
        )
    return figure
