"""One self-contained page of all runs: no network, no server."""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeVar

from harness.cells.cells import (
    AXES,
    Cell,
    Comparison,
    Label,
    Layout,
    device,
    flatten,
    group,
    label_of,
    layout_of_all,
    lookup,
)
from harness.cells.curves import mean_curves
from harness.cells.pairs import MOST_CELLS, PairTest, compare_pairs
from harness.cells.scores import Measure
from harness.libraries.extras import need
from harness.probe import Quantity, quantities
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.entries import Entry, Notes, judge, mean_costs
from harness.tables.footer import make_legend, make_provenance
from harness.tables.question import ask
from harness.tables.spec import TableSpec

T = TypeVar("T")

CURVE_POINTS = 30
"""Points kept of a curve, evenly spaced: 2,000 runs and plotly's 4.8 MB must fit in 10 MB."""


def make_report(records: Sequence[Record], read: Read, title: str) -> str:
    """The page's HTML.

    Raises:
        SpecError: plotly or Jinja is not installed.
    """
    page = files("harness.tables") / "page"
    environment = need("jinja2", "report").Environment(autoescape=True)
    return str(
        environment.from_string((page / "report.html.j2").read_text()).render(
            title=title,
            most_cells=MOST_CELLS,
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
    layout, measure, spec, notes = layout_of_all(records), Measure(), TableSpec(mixed=True), Notes()
    comparisons = group(records, layout)
    questions = ask(comparisons, spec, read)
    costs = [cost for cost in quantities().values() if any(cost.of(run) is not None for run in records)]
    judged = judge(questions, layout, spec, read, notes)
    label = short_label(records, layout)
    metrics = {each.key: each.cells[0].runs[0].primary_metric for each in comparisons}
    shared: dict[str, list[Any]] = {"specs": [], "environments": [], "sources": []}
    places: dict[str, int] = {}
    return {
        "costs": {cost.name: {"name": cost.label, "unit": cost.unit} for cost in costs},
        "cells": [
            _cell(cell, entries[cell.row, cell.column], label, costs)
            for question, entries in zip(questions, judged.entries, strict=True)
            for cell in question.comparison.cells
        ],
        "notes": notes.texts,
        "footer": [
            *make_legend(layout, spec, costs, judged.evidence),
            *make_provenance(records, layout, judged.evidence),
        ],
        "pairs": [
            _pair(pair, layout) | {"metric": metrics[pair.setting]}
            for pair in compare_pairs(comparisons, label, measure, read)
        ],
        "own_units": sorted(metric.name for metric in judged.evidence.metrics if not metric.is_percent),
        "curves": [curve for comparison in comparisons for curve in _curves(comparison, label)],
        "runs": [_run(run, label, costs, shared, places) for run in records],
        **shared,
    }


def short_label(records: Sequence[Record], layout: Layout) -> Label:
    """Names the method, and of its settings those that differ between its runs."""
    values: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for run in records:
        for field in layout.competing:
            values[run.spec.method.name, field].add(str(lookup(run, field)))

    def label(run: Record) -> str:
        method = run.spec.method.name
        return label_of(
            run, [field for field in layout.competing if field == "method" or len(values[method, field]) > 1]
        )

    return label


def _axes(run: Record, label: Label) -> dict[str, Any]:
    """What filters look at, and the label within a comparison."""
    return {axis: str(lookup(run, axis)) for axis in AXES} | {"label": label(run)}


def _cell(cell: Cell, entry: Entry, label: Label, costs: Sequence[Quantity]) -> dict[str, Any]:
    interval = entry.interval
    return _axes(cell.runs[0], label) | {
        "status": "ok" if cell.ok else cell.runs[-1].status,
        "metric": cell.runs[0].primary_metric,
        "mean": interval.mean if interval else None,
        "half_width": interval.half_width if interval else None,
        "n": interval.n if interval else 0,
        "n_planned": entry.n_planned,
        "standing": entry.standing,
        "notes": entry.notes,
        **{cost.name: value for cost, value in zip(costs, mean_costs(cell, costs), strict=False)},
    }


def _pair(pair: PairTest, layout: Layout) -> dict[str, Any]:
    return {
        **dict(zip(layout.shared, map(str, pair.setting), strict=True)),
        "a": pair.a,
        "b": pair.b,
        "difference": pair.difference.mean,
        "half_width": pair.difference.half_width,
        "n": pair.difference.uncertainty.n_seeds,
        "p": pair.difference.p_value,
        "holm": pair.adjusted_p,
        "mcnemar": pair.mcnemar_majority,
        "mcnemar_seeds": pair.mcnemar_by_seed,
    }


def _curves(comparison: Comparison, label: Label) -> list[dict[str, Any]]:
    """The mean validation curve of every cell."""
    first = [cell.runs[0] for cell in comparison.cells]
    axes = {label(run): _axes(run, label) | {"metric": run.primary_metric} for run in first}
    return [
        axes[curve.label] | {"step": _thin(curve.x.tolist()), "mean": _thin(curve.mean.tolist())}
        for curve in mean_curves(comparison, label, None, "step")
    ]


def _run(
    run: Record, label: Label, costs: Sequence[Quantity], shared: dict[str, list[Any]], places: dict[str, int]
) -> dict[str, Any]:
    def place(kind: str, value: Any) -> int:
        key = kind + json.dumps(value, sort_keys=True)
        if key not in places:
            places[key] = len(shared[kind])
            shared[kind].append(value)
        return places[key]

    spec = flatten(run.spec.model_dump(mode="json"))
    return _axes(run, label) | {
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
        **{cost.name: cost.of(run) for cost in costs},
        "curve": _columns(run.curve),
        "spec": place("specs", spec),
        "environment": place("environments", flatten(run.environment)),
        "source": place("sources", run.data.model_dump(mode="json")),
    }


def _columns(curve: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """The columns of a curve but for its seconds."""
    kept = _thin(curve)
    names = dict.fromkeys(name for row in kept for name in row if name != "seconds")
    return {name: [row.get(name) for row in kept] for name in names}


def _thin(points: Sequence[T]) -> list[T]:
    """Evenly spaced points of a long curve, the last among them."""
    step = max(1, -(-len(points) // CURVE_POINTS))
    return list(points[::-1][::step][::-1])
