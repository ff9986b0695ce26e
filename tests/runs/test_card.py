"""Cards as the hub's own library reads them."""

from pathlib import Path

from huggingface_hub import ModelCard
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.runs.card import as_html, card
from harness.runs.run import run
from harness.storage.record import Record
from harness.testing.records import make_record
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
