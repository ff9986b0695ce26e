"""Records and predictions that say anything: each is shown, left out by name, or refused in a sentence."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.catalog import list_
from harness.cli.run import print_record
from harness.cli.table import table
from harness.core.errors import HarnessError, HarnessWarning
from harness.figure import FIGURES
from harness.figures._files import write_figure
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.tables.page_data import report_data
from tests.synthetic import answers, draw_correct, make_record, write_grid, write_run

pytestmark = pytest.mark.filterwarnings("ignore::harness.core.errors.HarnessWarning")

SKILLS = {"full": 2.3, "lora": 0.7, "prefix": 0.5}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_grid(tmp_path, SKILLS, tasks=["sst2", "trec"], n_seeds=2, n_examples=60, n_curve=2)
    return tmp_path


def look(results: Path) -> list[str]:
    """Every command that reads records; the messages of those that refuse."""
    commands: list[Callable[[], object]] = [
        lambda: list_("runs", results=results),
        lambda: table(results=results, costs="trainable_params,train_seconds", rows="task,method", columns="base"),
        lambda: report_data(list(Store(results).records()), reader(Store(results))),
        lambda: [print_record(record, results) for record in Store(results).records()],
    ]
    refused = []
    for command in commands:
        try:
            command()
        except HarnessError as error:
            refused.append(str(error))
    return refused


def draw(results: Path) -> list[str]:
    """Every figure; the messages of those that refuse."""
    refused = []
    for name in ("pareto", "curves", "critical_difference"):
        try:
            write_figure(FIGURES.make(name), results, results / f"{name}.svg")
        except HarnessError as error:
            refused.append(str(error))
    return refused


def record_of(results: Path, method: str, seed: int = 0, task: str = "sst2") -> Path:
    for path in results.glob("runs/*/record.json"):
        spec = json.loads(path.read_text())["spec"]
        if (spec["method"]["name"], spec["seed"], spec["task"]["name"]) == (method, seed, task):
            return path
    raise AssertionError


def nodes(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of everything in nested data; of a list its first item only."""
    items = data.items() if isinstance(data, dict) else list(enumerate(data))[:1] if isinstance(data, list) else ()
    for key, value in items:
        yield (*place, key)
        yield from nodes(value, (*place, key))


WRONG = [
    None,
    "text",
    -1,
    10**400,
    1.5,
    True,
    [],
    [[1]],
    {},
    {"a": None},
    float("nan"),
    float("inf"),
    "DELETE",
    "RENAME",
]


def mutated(data: dict[str, Any], place: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(data))
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    if wrong == "DELETE":
        del parent[place[-1]]
    elif wrong == "RENAME" and isinstance(parent, dict):
        parent[f"{place[-1]}_"] = parent.pop(place[-1])
    else:
        parent[place[-1]] = wrong
    return changed


def test_any_part_of_a_record_may_be_anything(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record_of(results, "lora")
    data = json.loads(path.read_text())
    rng = np.random.default_rng(0)
    for place in nodes(data):
        wrong = WRONG[rng.integers(len(WRONG))]
        path.write_text(json.dumps(mutated(data, place, wrong)))
        look(results)


def columns(n: int = 60) -> dict[str, Any]:
    """Predictions of a run in the results; cell (lora, sst2) has two of them."""
    targets = np.random.default_rng(0).integers(0, 2, n)
    return {name: list(values) for name, values in answers(targets, targets == targets).items()}


def renamed(found: dict[str, Any], name: str) -> Any:
    return pa.table({f"{key}_" if key == name else key: values for key, values in found.items()})


def doubled(found: dict[str, Any], name: str) -> Any:
    table = pa.table(found)
    return table.append_column(name, table[name])


def nulled(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [*found[name][:-1], None]})


def all_null(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: pa.nulls(len(found[name]))})


def texts(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [str(value) for value in found[name]]})


def lists(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [[value] for value in found[name]]})


def tables(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [{"a": value} for value in found[name]]})


def nans(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [math.nan] * len(found[name])})


def huge(found: dict[str, Any], name: str) -> Any:
    return pa.table(found | {name: [2**62] * len(found[name])})


def short(found: dict[str, Any], name: str) -> Any:
    return pa.table({key: values[:3] for key, values in found.items()})


def shuffled(found: dict[str, Any], name: str) -> Any:
    return pa.table({key: values[::-1] if key == name else values for key, values in found.items()}).take([0, 9, 1, 8])


CHANGES = (renamed, doubled, nulled, all_null, texts, lists, tables, nans, huge, short, shuffled)


@pytest.mark.parametrize("metric", ["accuracy", "mcc", "pearson", "span_f1", "bleu"])
def test_any_column_of_predictions_may_be_anything(metric: str, results: Path) -> None:
    for path in results.glob("runs/*/record.json"):
        path.write_text(path.read_text().replace("/accuracy", f"/{metric}").replace('"accuracy"', f'"{metric}"'))
    path = record_of(results, "lora").with_name("predictions.parquet")
    store, compared = Store(results), 0
    for change in CHANGES:
        for name in ("split", "example_id", "target", "prediction") if metric == "accuracy" else ("prediction",):
            pq.write_table(change(columns(), name), path)
            data = report_data(list(store.records()), reader(store))
            compared += len(data["pairs"])
    if metric == "accuracy":
        assert compared


@pytest.mark.parametrize("change", [renamed, doubled, nulled, all_null, texts, lists, tables])
def test_what_is_wrong_with_predictions_is_said(change: Callable[..., Any], results: Path) -> None:
    path = record_of(results, "lora")
    pq.write_table(change(columns(), "prediction"), path.with_name("predictions.parquet"))
    store = Store(results)
    _, record = store.match(path.parent.name)
    with pytest.warns(HarnessWarning, match="predictions.parquet is not readable"):
        assert reader(store)(record, "test") is None


def test_predictions_that_are_a_folder_or_empty(results: Path) -> None:
    path = record_of(results, "lora").with_name("predictions.parquet")
    path.write_bytes(b"")
    assert look(results) == []
    path.unlink()
    path.mkdir()
    assert look(results) == []


def give(results: Path, value: Any, seeds: tuple[int, ...], **changes: Any) -> None:
    """A metric for runs of lora, and other keys."""
    for seed in seeds:
        for task in ("sst2", "trec"):
            path = record_of(results, "lora", seed, task)
            data = json.loads(path.read_text()) | changes
            data["metrics"] = {} if value is None else {"test/accuracy": value, "validation/accuracy": value}
            path.write_text(json.dumps(data))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, None])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_metrics_that_are_no_numbers_are_shown_counted_and_never_bold(
    value: float | None, seeds: tuple[int, ...], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    give(results, value, seeds)
    assert look(results) == []
    capsys.readouterr()
    table(results=results)
    lines = capsys.readouterr().out.splitlines()
    [lora] = [line for line in lines if line.startswith("| lora")]
    if value is not None and not math.isfinite(value):
        assert "nan" in lora or "inf" in lora
        assert "**" not in lora
        listed = ", ".join(map(str, seeds))
        assert any(f"seed {listed}: accuracy is not a finite number" in line for line in lines)
        assert any(line.startswith("| full | **") for line in lines)


def test_figures_leave_out_what_has_no_place_and_say_so(results: Path) -> None:
    give(results, math.nan, (0, 1))
    with pytest.warns(HarnessWarning, match="sst2.*: not drawn, as not measured or not finite: lora"):
        assert len(draw(results)) == 1  # ranks need three methods
    for path in results.glob("runs/*/record.json"):
        path.write_text(path.read_text().replace('"test/accuracy": 0', '"test/accuracy": NaN, "x": 0'))
    assert len(draw(results)) == 2


def test_curves_of_nan_and_without_seconds_are_drawn(results: Path) -> None:
    give(results, 0.5, (0, 1), curve=[{"step": 1, "validation/accuracy": math.nan}, {"step": 2}])
    assert draw(results) == []
    write_figure(FIGURES.make("curves", {"x": "seconds"}), results, results / "seconds.svg")


def test_one_seed_is_drawn(tmp_path: Path) -> None:
    for method in SKILLS:
        for task in ("sst2", "trec"):
            write_run(tmp_path, make_record(method, task=task, accuracy=0.7))
    assert look(tmp_path) == draw(tmp_path) == []


def test_work_grows_with_settings_and_not_with_their_square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cells import pairs, ties

    calls = {"screened": 0, "tested": 0}
    least_p, difference = ties.least_p, pairs.difference

    def screened(*arguments: Any) -> float:
        calls["screened"] += 1
        return least_p(*arguments)

    def tested(*arguments: Any) -> Any:
        calls["tested"] += 1
        return difference(*arguments)

    monkeypatch.setattr(ties, "least_p", screened)
    monkeypatch.setattr(pairs, "difference", tested)
    n = 2 * pairs.MOST_CELLS
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 30)
    for rank, by_seed in enumerate(draw_correct(np.linspace(0, 2, n), 2, 30, rng), 1):
        for seed, right in enumerate(by_seed):
            record = make_record("lora", seed, accuracy=float(right.mean()), settings={"rank": rank}, n_curve=1)
            write_run(tmp_path, record, answers(targets, right))
    store = Store(tmp_path)
    data = report_data(list(store.records()), reader(store))
    assert len(data["pairs"]) == calls["tested"] == n - 1
    assert calls["screened"] == n - 1
    best = max(data["cells"], key=lambda cell: cell["mean"])["label"]
    assert all(best in (pair["a"], pair["b"]) for pair in data["pairs"])
    assert f"over the {n - 1} comparisons with a best cell" in " ".join(data["footer"])
