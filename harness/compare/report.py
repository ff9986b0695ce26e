"""One self-contained page of all runs: no network, no server."""

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from harness.compare.cells import AXES, Cell, Comparison, Layout, device, flatten, group, layout_of_all, lookup
from harness.compare.extras import need
from harness.compare.footer import make_footer
from harness.compare.pairs import PairTest, compare_pairs
from harness.compare.panels import curve_panel, label_of
from harness.compare.pareto import COSTS, costs_of
from harness.compare.predictions import Read
from harness.compare.scores import Measure
from harness.compare.table import Entry, judge
from harness.record import Record

CURVE_POINTS = 40
"""Points kept of a run's curve, evenly spaced: 2,000 runs and plotly's 4.8 MB must fit in 10 MB."""


def make_report(records: Sequence[Record], read: Read, title: str) -> str:
    """The page's HTML.

    Raises:
        SpecError: plotly or Jinja is not installed.
    """
    page = files("harness.compare") / "page"
    environment = need("jinja2", "report").Environment(autoescape=True)
    return str(
        environment.from_string((page / "report.html.j2").read_text()).render(
            title=title,
            data=to_script_json(report_data(records, read)),
            plotly=need("plotly.offline", "report").get_plotlyjs(),
            style=(page / "report.css").read_text(),
            script=(page / "report.js").read_text(),
        )
    )


def to_script_json(data: Any) -> str:
    """Compact JSON that can't end the script element it stands in; numbers that JSON lacks become null."""
    text = json.dumps(_finite(data), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def report_data(records: Sequence[Record], read: Read) -> dict[str, Any]:
    """What the page shows; specs, environments and data sources that runs share are stored once."""
    layout, measure = layout_of_all(records), Measure()
    comparisons = group(records, layout)
    judged = judge(comparisons, measure, read, tuple(COSTS), family="table", allow_mixed=True)
    cells = [cell for comparison in comparisons for cell in comparison.cells]
    shared: dict[str, list[Any]] = {"specs": [], "environments": [], "sources": []}
    places: dict[str, int] = {}
    return {
        "cells": [_cell(cell, judged.entries[cell.row, cell.column], layout) for cell in cells],
        "notes": judged.notes,
        "footer": make_footer(records, layout, measure, tuple(COSTS), "table", judged.n_pairs),
        "pairs": [_pair(pair, layout) for pair in compare_pairs(comparisons, layout, measure, read)],
        "curves": [curve for comparison in comparisons for curve in _curves(comparison, layout)],
        "runs": [_run(run, layout, shared, places) for run in records],
        **shared,
    }


def _axes(run: Record, layout: Layout) -> dict[str, Any]:
    """What filters look at, and the label within a comparison."""
    return {axis: str(lookup(run, axis)) for axis in AXES} | {"label": label_of(run, layout)}


def _cell(cell: Cell, entry: Entry, layout: Layout) -> dict[str, Any]:
    interval = entry.interval
    return _axes(cell.runs[0], layout) | {
        "status": "ok" if cell.ok else cell.runs[-1].status,
        "metric": cell.runs[0].primary_metric,
        "mean": interval.mean if interval else None,
        "half_width": interval.half_width if interval else None,
        "n": interval.n if interval else 0,
        "best": entry.is_best,
        "notes": entry.notes,
        **dict(zip(COSTS, entry.costs, strict=False)),
    }


def _pair(pair: PairTest, layout: Layout) -> dict[str, Any]:
    return {
        **dict(zip(layout.shared, map(str, pair.setting), strict=True)),
        "a": pair.a,
        "b": pair.b,
        "difference": pair.difference.mean,
        "half_width": pair.difference.half_width,
        "n": pair.difference.n_seeds,
        "p": pair.difference.p_value,
        "holm": pair.adjusted_p,
        "mcnemar": pair.mcnemar_majority,
        "mcnemar_seeds": pair.mcnemar_by_seed,
    }


def _curves(comparison: Comparison, layout: Layout) -> list[dict[str, Any]]:
    """The mean validation curve of every cell."""
    axes = {label_of(cell.runs[0], layout): _axes(cell.runs[0], layout) for cell in comparison.cells}
    return [
        axes[curve.label] | {"step": curve.x.tolist(), "mean": curve.mean.tolist()}
        for curve in curve_panel(comparison, layout, None, "step").parts
    ]


def _run(run: Record, layout: Layout, shared: dict[str, list[Any]], places: dict[str, int]) -> dict[str, Any]:
    def place(kind: str, value: Any) -> int:
        key = kind + json.dumps(value, sort_keys=True)
        if key not in places:
            places[key] = len(shared[kind])
            shared[kind].append(value)
        return places[key]

    spec = flatten(run.spec.model_dump(mode="json"))
    return _axes(run, layout) | {
        "id": run.run_id,
        "seed": spec.pop("seed"),
        "status": run.status,
        "reason": run.reason,
        "started": run.started_at,
        "metric": run.primary_metric,
        "validation": Measure(split="validation").of(run),
        "test": Measure().of(run),
        "device": device(run),
        "metrics": run.metrics,
        "params": run.params.model_dump(exclude_defaults=True),
        "cost": flatten(run.cost.model_dump(exclude_defaults=True)),
        **dict(zip(COSTS, costs_of(run, tuple(COSTS)), strict=True)),
        "curve": _thin(run.curve),
        "spec": place("specs", spec),
        "environment": place("environments", flatten(run.environment)),
        "source": place("sources", run.data.model_dump(mode="json")),
    }


def _thin(curve: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """Columns of a curve; of a long one evenly spaced points, the last among them."""
    step = -(-len(curve) // CURVE_POINTS) or 1
    kept = curve[::-1][::step][::-1]
    return {name: [row.get(name) for row in kept] for name in dict.fromkeys(name for row in kept for name in row)}
