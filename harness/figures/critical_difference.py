"""Average ranks with their critical difference."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cells.cells import Comparison, Label, title_of
from harness.cells.scores import Measure, score_cells
from harness.core.errors import HarnessWarning, SpecError
from harness.figure import ScoresFigure
from harness.figures._drawing import plain
from harness.libraries.extras import need
from harness.statistics.intervals import LEVEL, Ranking, rank_methods


class CriticalDifference(ScoresFigure):
    """Average ranks over tasks (and bases, and precisions), with Friedman's and Nemenyi's tests."""

    source = "Demšar 2006, figure 1, https://jmlr.org/papers/v7/demsar06a.html"

    def draw(self, results: Path) -> Any:
        """One line of ranks over all comparisons."""
        chosen = self.select(results, self.measure)
        return draw_ranks(*rank_methods_of(chosen.comparisons, chosen.label, self.measure), self.inches)


def rank_methods_of(comparisons: Sequence[Comparison], label: Label, measure: Measure) -> tuple[Ranking, list[str]]:
    """Ranks of the methods that every comparison has, and their labels; a ``HarnessWarning`` names the others.

    Raises:
        SpecError: fewer than two comparisons or three such methods.
    """
    tables = [
        {label(scored.runs[0]): scored.merit for scored in score_cells(comparison, measure) if scored.is_finite}
        for comparison in comparisons
    ]
    labels = sorted(set.intersection(*map(set, tables))) if tables else []
    lacking = {
        name: [title_of(each) for each, table in zip(comparisons, tables, strict=True) if name not in table]
        for name in sorted(set().union(*tables) - set(labels))
    }
    if len(tables) < 2 or len(labels) < 3:
        missing = f"; {', '.join(lacking)} lack some" if lacking else ""
        raise SpecError(
            f"ranks need three methods with results in each of two settings or more; here {len(labels)} methods have "
            f"results in all {len(tables)} settings{missing}"
        )
    if lacking:
        listed = "; ".join(f"{name} (no finite result on {', '.join(titles)})" for name, titles in lacking.items())
        warnings.warn(f"ranks are those of methods with all settings, without {listed}", HarnessWarning, stacklevel=2)
    return rank_methods([[table[label] for label in labels] for table in tables]), labels


def draw_ranks(ranking: Ranking, labels: Sequence[str], inches: float | None = None) -> Any:
    """Average ranks on a line, best at the left; a bar joins methods that Nemenyi's test doesn't separate."""
    k, cliques = len(labels), ranking.cliques()
    bars = 0.25 * len(cliques)
    depth = bars + 0.35 * ((k + 1) // 2) + 0.3
    figure = need("matplotlib.figure", "tables").Figure(figsize=(inches or 7, 1.3 + 0.75 * depth), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(1 - 0.25 * k, k + 0.25 * k), ylim=(-depth, 1.1))
    axis.axis("off")
    _draw_scale(axis, k, ranking.critical_difference)
    _draw_names(axis, ranking, labels, bars)
    for number, clique in enumerate(cliques):
        ranks = ranking.average_ranks[list(clique)]
        axis.hlines(-0.2 - 0.25 * number, ranks.min() - 0.03, ranks.max() + 0.03, color="black", linewidth=3)
    parts = (
        f"Average rank over {ranking.n_settings} settings; Friedman p = {ranking.friedman_p:.2g}",
        f"bars: Nemenyi at {100 * LEVEL:.0f} %",
    )
    axis.set_title((", " if inches is None else ",\n").join(parts), fontsize="medium")
    return figure


def _draw_scale(axis: Any, k: int, difference: float) -> None:
    """The line of ranks from 1 to k, and the critical difference above it."""
    axis.hlines(0, 1, k, color="black", linewidth=1)
    for rank in range(1, k + 1):
        axis.vlines(rank, 0, 0.1, color="black", linewidth=1)
        axis.text(rank, 0.15, str(rank), ha="center", va="bottom")
    axis.hlines(0.75, 1, 1 + difference, color="black", linewidth=1.5)
    axis.text(1 + difference, 0.75, f"  critical difference {difference:.2f}", va="center")


def _draw_names(axis: Any, ranking: Ranking, labels: Sequence[str], bars: float) -> None:
    """The better half of the names at the left, the others at the right, below the bars."""
    k = len(labels)
    for place, index in enumerate(ranking.average_ranks.argsort(kind="stable")):
        left = place < (k + 1) // 2
        row = place if left else k - 1 - place
        y, rank = -(bars + 0.3 + 0.35 * row), ranking.average_ranks[index]
        end = 1 - 0.04 * k if left else k + 0.04 * k
        axis.plot([rank, rank, end], [0, y, y], color="grey", linewidth=0.8)
        text = f"{labels[index]} ({rank:.2f}) " if left else f" {labels[index]} ({rank:.2f})"
        axis.text(end, y, plain(text), ha="right" if left else "left", va="center")
