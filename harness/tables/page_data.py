"""What the page shows, as plain data."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from harness.cells.cells import (
    AXES,
    TUNING,
    Cell,
    Comparison,
    Key,
    Label,
    Layout,
    device,
    group,
    label_of,
    layout_of_all,
    lookup,
)
from harness.cells.curves import Curve, mean_curves
from harness.cells.pairs import PairTest, compare_pairs
from harness.cells.scores import Measure
from harness.cells.tuning import label_tuning
from harness.core.spec import flatten
from harness.metric import metric_named
from harness.probe import Quantity, quantities
from harness.search.record import StudyRecord
from harness.statistics.intervals import mean_interval
from harness.storage.explanations import Explained
from harness.storage.predictions import Read
from harness.storage.record import Record
from harness.tables.entries import Entry, Notes, judge, mean_costs
from harness.tables.footer import make_legend, make_provenance
from harness.tables.page_answers import PageAnswers
from harness.tables.question import ask
from harness.tables.spec import TableSpec

T = TypeVar("T")

CURVE_POINTS = 30
"""Points kept of a curve, evenly spaced: 2,000 runs and plotly's 4.8 MB must fit in 10 MB; of more runs, fewer."""


def report_data(
    records: Sequence[Record],
    read: Read,
    studies: Sequence[StudyRecord] = (),
    has_texts: bool = False,
    explained: Callable[[Record], Sequence[Explained]] = lambda _: (),
) -> dict[str, Any]:
    """All runs, and the cells of those that are results: trials of a search and its seeds are none.

    Specs, environments and data sources that runs share are stored once.

    Args:
        records: The runs, labelled by their races.
        read: Gives a run's predictions.
        studies: The searches among whose trials some of the runs may be.
        has_texts: Whether the texts of test examples are among it.
        explained: Gives the explanations that were kept with a run.
    """
    measured = set().union(*(run.measured for run in records))
    known = [cost for cost in quantities().values() if cost.read or cost.name in measured]
    costs = [cost for cost in known if any(cost.of(run) is not None for run in records)]
    n_points = max(3, min(CURVE_POINTS, 2000 * CURVE_POINTS // max(1, len(records))))
    results = label_tuning(records, studies)
    layout = _layout(results or records)
    label = short_label(results or records, layout)
    shared = Shared()
    places = {run.run_id: place for place, run in enumerate(records)}
    kept = {run.run_id for run in results}
    metrics = {name.partition("/")[2] for run in records for name in run.metrics}
    return {
        "costs": {c.name: {"name": c.label, "unit": c.unit, "higher": c.higher_is_better} for c in costs},
        "metrics": {name: _described(name) for name in sorted(metrics)},
        **_cells(results, layout, label, costs, read, PageAnswers(read, has_texts), places),
        "studies": list(map(_study, studies)),
        "runs": [
            _run(run, label, costs, shared, n_points)
            | {"role": "result" if run.run_id in kept else "search trial"}
            | {"explained": [one.model_dump(mode="json") for one in explained(run)]}
            for run in records
        ],
        **shared.values,
    }


def _layout(records: Sequence[Record]) -> Layout:
    """The layout of all; what a search has tuned is named so, and not by every setting that it found."""
    by_tuning: defaultdict[Any, list[Record]] = defaultdict(list)
    for run in records:
        by_tuning[lookup(run, TUNING)].append(run)
    layouts = [layout_of_all(runs) for runs in by_tuning.values()]
    tuning = {TUNING: None} if len(layouts) > 1 else {}
    rows = dict.fromkeys(field for layout in layouts for field in layout.rows) | tuning
    competing = dict.fromkeys(field for layout in layouts for field in layout.competing) | tuning
    return Layout((*rows,), (), (*competing,))


def _described(metric: str) -> dict[str, bool]:
    found = metric_named(metric)
    return {"percent": found.is_percent, "higher": found.higher_is_better}


def _cells(
    results: Sequence[Record],
    layout: Layout,
    label: Label,
    costs: Sequence[Quantity],
    read: Read,
    answers: PageAnswers,
    places: dict[str, int],
) -> dict[str, Any]:
    """Cells with their curves and answers, the footnotes, and the pairs."""
    if not results:
        return {"cells": [], "notes": [], "footer": ["All runs are trials of searches."], "pairs": [], "answers": []}
    measure, spec, notes = Measure(), TableSpec(mixed=True), Notes()
    comparisons = group(results, layout)
    questions = ask(comparisons, spec, read)
    judged = judge(questions, layout, spec, read, notes)
    cells = []
    for question, entries in zip(questions, judged.entries, strict=True):
        curves = {curve.label: curve for curve in mean_curves(question.comparison, label, None, "step")}
        for cell in question.comparison.cells:
            entry = entries[cell.row, cell.column]
            cells.append(_cell(cell, entry, label, costs, curves) | answers.of(cell))
            cells[-1]["runs"] = [places[run.run_id] for run in cell.runs]
    return {
        "cells": cells,
        "answers": answers.examples,
        "answers_left_out": answers.n_left_out,
        "notes": notes.texts,
        "footer": [
            *make_legend(layout, spec, costs, judged.evidence),
            *make_provenance(results, layout, judged.evidence),
        ],
        "pairs": _pairs(comparisons, layout, label, measure, read),
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


def _cell(
    cell: Cell, entry: Entry, label: Label, costs: Sequence[Quantity], curves: dict[str, Curve]
) -> dict[str, Any]:
    interval = entry.interval
    curve = curves.get(label(cell.runs[0]))
    return _axes(cell.runs[0], label) | {
        "status": "ok" if cell.ok else cell.runs[-1].status,
        "metric": next((run.primary_metric for run in cell.ok), cell.runs[0].primary_metric),
        "mean": interval.mean if interval else None,
        "half_width": interval.half_width if interval else None,
        "n": interval.n if interval else 0,
        "n_planned": entry.n_planned,
        "standing": entry.standing,
        "notes": entry.notes,
        "others": _other_metrics(cell),
        "curve": {"step": _thin(curve.x.tolist()), "mean": _thin(curve.mean.tolist())} if curve else None,
        **{cost.name: value for cost, value in zip(costs, mean_costs(cell, costs), strict=False)},
    }


def _other_metrics(cell: Cell) -> dict[str, list[float | int | None]]:
    """Mean, half-width and number of seeds of each test metric that is not the primary one."""
    names = dict.fromkeys(name for run in cell.ok for name in run.metrics if name.startswith("test/"))
    found = {}
    for name in names:
        values = [run.metrics[name] for run in cell.ok if name in run.metrics]
        if name != f"test/{cell.ok[0].primary_metric}":
            interval = mean_interval(values)
            found[name.removeprefix("test/")] = [interval.mean, interval.half_width, interval.n]
    return found


def _pairs(
    comparisons: Sequence[Comparison], layout: Layout, label: Label, measure: Measure, read: Read
) -> list[dict[str, Any]]:
    metrics: dict[Key, str] = {each.key: each.cells[0].runs[0].primary_metric for each in comparisons}
    return [
        _pair(pair, layout) | {"metric": metrics[pair.setting]}
        for pair in compare_pairs(comparisons, label, measure, read)
    ]


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


def _study(study: StudyRecord) -> dict[str, Any]:
    spec = study.spec
    return {
        "name": study.name,
        "method": spec.method.name,
        "recipe": spec.recipe,
        "task": spec.task.name,
        "base": spec.base.name,
        "quantization": spec.base.quantization,
        "metric": study.metric,
        "objectives": study.search.objectives,
        "means": study.search.means,
        "finished": study.is_finished,
        "best": study.best,
        "trials": [trial.model_dump(mode="json", exclude={"run_ids"}) for trial in study.trials],
    }


class Shared:
    """Values that many runs have, each stored once; a run has their places."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {"specs": [], "environments": [], "sources": []}
        self._places: dict[str, int] = {}

    def place(self, kind: str, value: Any) -> int:
        """Where the value of a kind is, added if it is new."""
        key = kind + json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values[kind])
            self.values[kind].append(value)
        return self._places[key]


def _run(run: Record, label: Label, costs: Sequence[Quantity], shared: Shared, n_points: int) -> dict[str, Any]:
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
        "curve": _columns(_thin(run.curve, n_points)),
        "spec": shared.place("specs", spec),
        "environment": shared.place("environments", flatten(run.environment)),
        "source": shared.place("sources", run.data.model_dump(mode="json")),
    }


def _columns(curve: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """The columns of a curve but for its seconds."""
    names = dict.fromkeys(name for row in curve for name in row if name != "seconds")
    return {name: [row.get(name) for row in curve] for name in names}


def _thin(points: Sequence[T], n_points: int = CURVE_POINTS) -> list[T]:
    """Evenly spaced points of a long curve, the last among them."""
    step = max(1, -(-len(points) // n_points))
    return list(points[::-1][::step][::-1])
