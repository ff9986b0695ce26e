"""Tables from records on disk to text, through the command."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from harness.cli.table import table
from harness.core.errors import SpecError
from harness.core.units import with_unit
from harness.probe import quantities
from harness.statistics.intervals import mean_interval
from harness.storage.store import Store
from harness.tables.latex import latex_escape
from tests.synthetic import Effects, answers, draw_correct, make_failed, make_record, write_grid, write_run

Show = Callable[..., str]
NASTY = r"can't <b>do</b> 100% of $x_1 & {y} ~ ^ \ # | it"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seeds of four methods on two tasks, a skipped cell, a cell with one diverged seed, one with none left."""
    results = tmp_path_factory.mktemp("results")
    write_grid(results, {"full": 2.3, "lora": 2.25, "prefix": 0.8}, tasks=["sst2", "trec"])
    for seed in range(5):
        write_run(results, make_failed("bitfit", seed, "skipped", NASTY))
        write_run(results, make_failed("adapters", seed, "out_of_memory", f"no memory for seed {seed}"))
    for seed in range(3):
        write_run(results, make_record("adalora", seed, accuracy=0.8 + seed / 100))
    write_run(results, make_failed("adalora", 3, "diverged", "loss is NaN at step 7"))
    return results


@pytest.fixture
def show(results: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    def run(folder: Path = results, **options: object) -> str:
        table(results=folder, **options)
        return capsys.readouterr().out

    return run


def rows_of(markdown: str) -> dict[str, list[str]]:
    lines = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")] for line in markdown.splitlines() if "|" in line
    ]
    return {line[0]: line[1:] for line in lines}


def test_cells_show_mean_interval_and_number_of_seeds(results: Path, show: Show) -> None:
    scores = [
        r.metrics["test/accuracy"]
        for r in Store(results).records()
        if r.spec.method.name == "prefix" and r.spec.task.name == "trec"
    ]
    expected = mean_interval(scores)
    shown = rows_of(show())
    assert shown["method"] == ["sst2 (accuracy)", "trec (accuracy)"]
    assert shown["prefix"][1] == f"{100 * expected.mean:.1f} ± {100 * (expected.half_width or 0):.1f} (5)"


def test_only_the_tie_group_of_the_best_is_bold(show: Show) -> None:
    shown = rows_of(show())
    for method, cells in shown.items():
        assert all(
            cell.startswith("**") == (method in ("full", "lora")) for cell in cells[:2] if cell[0] in "*0123456789"
        )


def test_the_best_mean_is_marked_in_every_format(show: Show) -> None:
    lines = show(format="md").splitlines()
    assert sum(line.count("** ★") for line in lines if line.startswith("|")) == 2  # one in each task
    assert sum(line.count("**") for line in lines if line.startswith("|")) == 2 * 2 * 2
    assert len(re.findall(r"\\textbf\{[^&]*\}\$\^\\star\$", show(format="latex"))) == 2
    assert len(re.findall("</strong> ★", show(format="html"))) == 2


def write_cell(results: Path, method: str, correct: np.ndarray, **where: str) -> None:
    """Runs with predictions, from which answers are right, shape (seeds, examples)."""
    targets = np.arange(correct.shape[1]) % 2
    for seed, right in enumerate(correct):
        record = make_record(method, seed, accuracy=float(right.mean()), n_examples=len(right), **where)
        write_run(results, record, answers(targets, right))


def test_seeds_that_all_score_the_same_show_the_interval_of_their_examples(tmp_path: Path, show: Show) -> None:
    right = np.random.default_rng(0).random(128) < 0.7
    write_cell(tmp_path, "zero_shot", np.tile(right, (2, 1)))
    shuffled = np.stack([right, np.roll(right, 5)])  # the same score by luck
    write_cell(tmp_path, "prefix", shuffled)
    text = show(tmp_path)
    shown = rows_of(text)
    expected = 100 * 1.979 * right.std(ddof=1) / 128**0.5
    mean, half_width = re.match(r"\**([\d.]+) ± ([\d.]+) \(2\)", shown["zero_shot"][0]).groups()
    assert float(mean) == pytest.approx(100 * right.mean(), abs=0.05)
    assert float(half_width) == pytest.approx(expected, rel=0.1)
    assert 0 < float(re.search(r"± ([\d.]+)", shown["prefix"][0]).group(1)) < float(half_width)
    assert "all seeds score the same: ± is the 95 % interval of drawing other test examples" in text
    assert ",examples,2," in show(tmp_path, format="csv")


def test_no_interval_is_shown_where_nothing_tells_one(tmp_path: Path, show: Show) -> None:
    write_cell(tmp_path, "full", np.ones((3, 50), dtype=bool))
    for seed in range(2):
        write_run(tmp_path, make_record("lora", seed, accuracy=0.7))
    shown = rows_of(show(tmp_path))
    assert re.match(r"\**100\.0 \(3\)", shown["full"][0])
    assert shown["lora"][0].startswith("70.0 (2 of 3) [")
    assert rows_of(show(tmp_path, checkpoint="last"))["full"][0].startswith("100.0 (3)")


def test_rows_of_another_base_do_not_change_what_is_bold(tmp_path: Path, show: Show) -> None:
    """A lead that is just significant among its own tasks, and would not be with Holm over ten more comparisons."""
    rng = np.random.default_rng(1)
    full, lora = draw_correct(np.array([1.6, 1.33]), 5, 1500, rng, Effects())
    write_cell(tmp_path, "full", full)
    write_cell(tmp_path, "lora", lora)
    alone = rows_of(show(tmp_path))
    assert (alone["full"][0].startswith("**"), alone["lora"][0].startswith("**")) == (True, False)
    for place in range(10):
        write_grid(tmp_path, {"full": 1.0, "lora": 1.0}, bases=[f"other{place}"], n_examples=60, random_seed=place)
    text = show(tmp_path)
    shown = {tuple(line.strip("| ").split(" | ")[:2]): line for line in text.splitlines() if line.startswith("|")}
    assert "**" in shown["minilm", "full"]
    assert "**" not in shown["minilm", "lora"]
    assert "those of one base at a time" in text


def test_failed_and_skipped_cells_have_their_reason_as_footnote(show: Show) -> None:
    text = show()
    shown = rows_of(text)
    assert re.fullmatch(r"skipped \[\d+\]", shown["bitfit"][0])
    assert shown["bitfit"][1] == "–"
    assert re.fullmatch(r"out of memory( \[\d+\]){5}", shown["adapters"][0])
    assert re.fullmatch(r"81\.0 ± 2\.5 \(3 of 5\)( \[\d+\]){3}", shown["adalora"][0])
    assert "seed 3 diverged: loss is NaN at step 7" in text
    assert "no run of seed 4" in text
    assert "no predictions" in text


def test_all_runs_are_said_to_have_what_all_have(tmp_path: Path, show: Show) -> None:
    for method in ("full", "lora"):
        write_run(tmp_path, make_record(method, 0, label=f"my {method}"))
    text = show(tmp_path, rows=["label"], columns=["task"])
    assert "All runs: base minilm, quantization none.\n" in text


def test_the_footer_explains_the_table(show: Show) -> None:
    text = show()
    for part in (
        "All runs: base minilm, quantization none.",
        "checkpoint chosen on validation",
        "95 % t-interval over seeds",
        "it holds the variation between seeds, not that of drawing other test examples",
        "with 95 % confidence contain the best",
        "Holm's correction over the 4 comparisons with a best cell",
        "points would be seen with 80 % power",
        "correlate over seeds by",
        "Seeds: 0-4.",
        "sst2 (official split, asset synthetic 1.0, ",
        "Devices: Test CPU",
        "torch 2.13.0",
    ):
        assert part in text


def test_the_same_records_give_the_same_bytes(results: Path, show: Show, tmp_path: Path) -> None:
    for format in ("md", "csv", "latex", "html"):
        assert show(format=format) == show(format=format)
    copy = tmp_path / "copy"
    for folder in sorted((results / "runs").iterdir(), reverse=True):
        shutil.copytree(folder, copy / "runs" / folder.name)
    assert show(copy) == show()


def test_rows_and_columns_can_be_chosen(show: Show) -> None:
    shown = rows_of(show(rows="task", columns="method"))
    assert [head.split()[0] for head in shown["task"]] == ["adalora", "adapters", "bitfit", "full", "lora", "prefix"]
    assert list(shown)[:4] == ["task", "---", "sst2", "trec"]


def test_costs_on_request(show: Show) -> None:
    shown = rows_of(show(costs="trainable_params,stored_bytes,peak_memory_bytes,train_seconds", where=["task=sst2"]))
    assert shown["method"] == [
        "sst2 (accuracy)",
        "trainable_params",
        "stored_bytes",
        "peak_memory_bytes",
        "train_seconds",
    ]
    assert shown["lora"][1:] == ["300k", "1.2MB", "905MB", "33.2s"]
    assert shown["bitfit"][1:] == ["–"] * 4
    with pytest.raises(SpecError, match="unknown cost 'parms'"):
        show(costs="parms")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("trainable_params", 0, "0"),
        ("trainable_params", 999, "999"),
        ("trainable_params", 294912, "295k"),
        ("trainable_params", 22_713_216, "22.7M"),
        ("stored_bytes", 1.5e9, "1.5GB"),
        ("stored_bytes", 2.5e12, "2,500GB"),
        ("train_seconds", 1234.56, "1,234.6s"),
        ("train_seconds", 0.01234, "12.3ms"),
        ("train_seconds", 0.0, "0.0s"),
    ],
)
def test_costs_have_units(name: str, value: float, text: str) -> None:
    assert with_unit(value, quantities()[name].unit) == text


def test_csv_has_full_numbers(results: Path, show: Show) -> None:
    text = show(format="csv", costs="trainable_params")
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(body))}
    scores = [
        r.metrics["test/accuracy"]
        for r in Store(results).records()
        if r.spec.method.name == "lora" and r.spec.task.name == "sst2"
    ]
    assert float(rows["lora"]["sst2 accuracy mean"]) == pytest.approx(np.mean(scores), rel=1e-12)
    assert rows["lora"]["sst2 accuracy n_seeds"] == "5"
    standings = {method: row["sst2 accuracy standing"] for method, row in rows.items()}
    assert sorted(standings.values()) == ["", "", "", "best", "tied", "worse"]
    assert standings["prefix"] == "worse"
    assert rows["lora"]["sst2 accuracy variation"] == "seeds"
    assert float(rows["lora"]["sst2 trainable_params"]) == 300_000
    assert rows["bitfit"]["sst2 accuracy status"].startswith("skipped [")
    assert rows["bitfit"]["trec accuracy status"] == "no run"


def test_html_is_escaped_and_well_formed(show: Show) -> None:
    text = show(format="html")
    assert "<b>" not in text
    assert "&lt;b&gt;do&lt;/b&gt;" in text
    stack: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert stack.pop() == tag

    Balanced().feed(text)
    assert stack == []


def test_validation_and_last_checkpoint_are_said(show: Show) -> None:
    assert "Percent on validation" in show(split="validation")
    last = show(checkpoint="last")
    assert "at the last checkpoint" in last
    assert "Nothing is bold" in last
    assert "**" not in last


def test_an_unknown_metric_is_named(show: Show) -> None:
    with pytest.raises(SpecError, match="did you mean 'accuracy'"):
        show(metric="acuracy")


def test_another_metric_is_recomputed_from_predictions(tmp_path: Path, show: Show) -> None:
    write_grid(tmp_path, {"full": 2.3, "prefix": 0.5}, n_seeds=3)
    import json

    from harness.storage.predictions import reader
    from tests.judging import compute

    store = Store(tmp_path)
    for record in store.records():
        path = store.folder(record.run_id) / "record.json"
        data = json.loads(path.read_text())
        answers = reader(store)(record, "test")
        assert answers is not None
        data["metrics"]["test/mcc"] = compute("mcc", answers.targets.tolist(), answers.predictions.tolist())
        path.write_text(json.dumps(data))
    shown = rows_of(show(tmp_path, metric="mcc"))
    assert shown["full"][0].startswith("**")
    assert not shown["prefix"][0].startswith("**")


def test_mixed_devices_are_refused_then_marked(tmp_path: Path, show: Show) -> None:
    for seed in range(3):
        write_run(tmp_path, make_record("lora", seed))
        write_run(tmp_path, make_record("full", seed, environment={"accelerator": "NVIDIA H100"}))
    with pytest.raises(SpecError, match="devices"):
        show(tmp_path)
    marked = show(tmp_path, mixed=True)
    assert "mixes devices (NVIDIA H100, Test CPU): not compared" in marked
    assert "**" not in marked


def test_latex_escapes_everything() -> None:
    assert latex_escape(NASTY) == (
        r"can't \textless{}b\textgreater{}do\textless{}/b\textgreater{} 100\% of \$x\_1 \& \{y\} \textasciitilde{} "
        r"\textasciicircum{} \textbackslash{} \# \textbar{} it"
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex; apt-get install texlive-latex-recommended")
def test_latex_compiles_with_booktabs(show: Show, tmp_path: Path) -> None:
    body = show(format="latex", costs="trainable_params,stored_bytes")
    assert r"\toprule" in body
    document = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "table.tex").write_text(f"{document}{body}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").stat().st_size > 1000


def test_the_command_imports_no_torch(results: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.cli.table import table; "
        f"table(results=Path({str(results)!r})); heavy = {{'torch', 'transformers', 'peft', 'datasets', 'optuna'}}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "lora" in done.stdout
