"""Cards as the hub's own library reads them."""

from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.runs.run import run
from harness.statistics.intervals import mean_interval
from harness.storage.record import Record
from harness.tables.card import as_html, card
from harness.testing.records import make_record, write_run
from tests.conftest import MakeSpec


def test_the_hub_reads_the_results_and_people_the_rest(make_spec: MakeSpec, tmp_path: Path) -> None:
    record = run(
        make_spec("lora", probes=[{"name": "calibration"}, {"name": "checklist", "file": "none"}][:1]), tmp_path
    )
    done = CliRunner().invoke(app, ["card", record.run_id, "--results", str(tmp_path)])
    assert done.exit_code == 0, done.exception
    read = ModelCard(done.stdout)
    assert read.data.base_model == record.spec.base.name
    assert read.data.pipeline_tag == "text-classification"
    (result,) = read.data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", record.metrics["test/accuracy"])
    for name in (*record.measured, "train_seconds", "peak_memory_bytes", "method.rank", "training.learning_rate"):
        assert f" {name} " in read.text
    for name in ("README.md", "card.html"):
        out = ["--out", str(tmp_path / name)]
        assert CliRunner().invoke(app, ["card", record.run_id, "--results", str(tmp_path), *out]).exit_code == 0
    assert (tmp_path / "README.md").read_text() == done.stdout
    page = (tmp_path / "card.html").read_text()
    assert page.count("<table>") == 3
    assert "<td>brier_score</td>" in page
    assert isinstance(
        CliRunner().invoke(app, ["card", record.run_id, "--results", str(tmp_path), "--out", "a.pdf"]).exception,
        SpecError,
    )


def test_text_from_outside_is_no_markup() -> None:
    reason = "a | pipe\n# a head <script>alert(1)</script> [link](javascript:x)"
    record = Record.model_validate(make_record("lora", status="failed", reason=reason, metrics={}))
    text = card(record)
    page = as_html(text, reason)
    assert "<script" not in page
    assert "<a " not in page
    assert "<h1>a head" not in page
    assert "link](javascript:x)" in page
    assert ModelCard(text).data.eval_results is None
    assert "<script" not in as_html("front\n---\n<script>alert(1)</script> <img src=x onerror=alert(1)>", "raw")


def test_a_cell_is_shown_by_its_means(tmp_path: Path) -> None:
    """Of the seeds that differ in nothing else; another method, and a run that failed, are no part of it."""
    scores = (0.5, 0.6, 0.8)
    for seed, score in enumerate(scores):
        measured = {"measured": {"typos_drop": score / 10}, "measured_intervals": {"typos_drop": (0.0, 0.2)}}
        write_run(tmp_path, make_record("lora", seed, accuracy=score) | measured)
    failed = make_record("lora", 3, status="failed", reason="out of memory", metrics={})
    for record in (make_record("full", accuracy=0.1), failed):
        write_run(tmp_path, record)
    run_id = make_record("lora", 1)["run_id"]
    invoke = partial(CliRunner().invoke, app)
    text = invoke(["card", run_id, "--cell", "--results", str(tmp_path)], catch_exceptions=False).stdout
    found = mean_interval(scores)
    assert f"| test/accuracy | {found.mean:.4f} ± {found.half_width:.4f} |" in text
    assert "Means over 3 runs (seeds 0-2)" in text
    drop = mean_interval([score / 10 for score in scores])
    assert f"| typos_drop | {drop.mean:.3g} ± {drop.half_width:.3g} | 0 to 0.2 |" in text
    assert "95 % interval over examples, seed 1" in text
    (result,) = [each for each in ModelCard(text).data.eval_results if each.metric_type == "accuracy"]
    assert result.metric_value == pytest.approx(found.mean)
    with pytest.raises(SpecError, match="is failed: a cell's card needs one that ended well"):
        invoke(["card", failed["run_id"], "--cell", "--results", str(tmp_path)], catch_exceptions=False)


def test_a_cell_of_unlike_runs_has_no_card(tmp_path: Path) -> None:
    for seed, device in enumerate(("one processor", "another")):
        record = make_record("lora", seed)
        write_run(tmp_path, record | {"environment": record["environment"] | {"cpu": device}})
    with pytest.raises(SpecError, match="mixes devices"):
        CliRunner().invoke(
            app, ["card", record["run_id"], "--cell", "--results", str(tmp_path)], catch_exceptions=False
        )
