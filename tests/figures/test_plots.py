"""Figures of runs: the numbers in them, and what is refused."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells.cells import Layout, group, label_of
from harness.cells.curves import mean_curves
from harness.cells.scores import Measure
from harness.core.errors import HarnessWarning, SpecError
from harness.figure import FIGURES
from harness.figures._files import write_figure
from harness.figures.critical_difference import rank_methods_of
from harness.figures.pareto import pareto_panel
from harness.probe import find_quantities
from harness.statistics.intervals import mean_interval
from harness.storage.predictions import reader
from harness.storage.record import Record
from harness.storage.store import Store
from tests.synthetic import make_record, write_grid, write_run

LAYOUT = Layout(rows=("method",), columns=("task",), competing=("method",))
METHOD = partial(label_of, competing=("method",))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    write_grid(results, {"full": 2.3, "lora": 2.2, "prefix": 1.0, "zero_shot": 0.2}, tasks=["sst2", "trec"], n_seeds=3)
    return results


def draw(name: str, results: Path, out: Path, **settings: Any) -> None:
    assert write_figure(FIGURES.make(name, settings), results, out) == [out]


@pytest.mark.parametrize("cost", ["trainable_params", "stored_bytes", "peak_memory_bytes", "train_seconds"])
def test_pareto_points_are_means_with_intervals(cost: str, results: Path) -> None:
    store = Store(results)
    records = list(store.records())
    panels = [
        pareto_panel(c, METHOD, Measure(), find_quantities([cost])[0], reader(store)) for c in group(records, LAYOUT)
    ]
    assert [panel.title for panel in panels] == ["sst2", "trec"]
    points = {point.label: point for point in panels[0].parts}
    scores = [r.metrics["test/accuracy"] for r in records if (r.spec.method.name, r.spec.task.name) == ("lora", "sst2")]
    assert points["lora"].quality == mean_interval(scores)
    assert points["zero_shot"].is_front
    assert points["zero_shot"].membership == 1
    assert all(point.membership is not None and 0 <= point.membership <= 1 for point in points.values())


def test_curves_are_means_over_the_seeds_that_reached_a_step() -> None:
    runs = [Record.model_validate(make_record("lora", seed, accuracy=0.8 + seed / 10)) for seed in range(2)]
    runs.append(Record.model_validate(make_record("lora", 2) | {"curve": make_record("lora", 2)["curve"][:3]}))
    (curve,) = mean_curves(group(runs, LAYOUT)[0], METHOD, None, "step")
    at_first = mean_interval([run.curve[0]["validation/accuracy"] for run in runs])
    at_last = mean_interval([run.curve[-1]["validation/accuracy"] for run in runs[:2]])
    np.testing.assert_allclose([curve.mean[0], curve.half_width[0]], [at_first.mean, at_first.half_width])
    np.testing.assert_allclose([curve.mean[-1], curve.half_width[-1]], [at_last.mean, at_last.half_width])
    assert curve.x.tolist() == list(range(10, 130, 10))


def test_ranks_use_the_methods_that_every_setting_has(results: Path) -> None:
    records = [r for r in Store(results).records() if (r.spec.method.name, r.spec.task.name) != ("full", "trec")]
    with pytest.warns(HarnessWarning, match=r"without full \(no finite result on trec\)"):
        ranking, labels = rank_methods_of(group(records, LAYOUT), METHOD, Measure())
    assert labels == ["lora", "prefix", "zero_shot"]
    assert ranking.average_ranks.tolist() == [1, 2, 3]


def test_too_few_settings_for_ranks_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="all 1 settings"):
        draw("critical_difference", results, tmp_path / "cd.png", where=["task=sst2"])
    with pytest.raises(SpecError, match="here 2 methods"):
        draw("critical_difference", results, tmp_path / "cd.png", where=["method=lora", "method=full"])


def test_wrong_output_and_columns_are_named(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"\.png, \.pdf, \.svg"):
        draw("pareto", results, tmp_path / "figure.jpg")
    with pytest.raises(SpecError, match=r"'loss'.*train_loss"):
        draw("curves", results, tmp_path / "curves.png", y="loss")


def test_a_metric_that_no_run_has_is_no_empty_picture(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'accuracy'"):
        draw("pareto", results, tmp_path / "pareto.png", metric="acuracy")
    assert not list(tmp_path.iterdir())


def test_mixed_devices_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path, make_record("lora"))
    write_run(tmp_path, make_record("full", environment={"accelerator": "NVIDIA H100"}))
    with pytest.raises(SpecError, match="devices"):
        draw("pareto", tmp_path, tmp_path / "p.png")
    draw("pareto", tmp_path, tmp_path / "p.png", mixed=True)


def test_a_missing_library_is_a_sentence(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SpecError, match=r"pip install 'adaptation-harness\[tables\]'"):
        draw("pareto", results, tmp_path / "p.png")


def test_labels_name_settings_but_not_axes() -> None:
    run = Record.model_validate(make_record("lora", settings={"rank": 8}))
    assert label_of(run, ("method", "method.rank", "method.width")) == "lora, method.rank=8"


def test_tasks_do_not_compete(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="leave task out of --compare"):
        draw("curves", results, tmp_path / "curves.png", compare="method,task")
