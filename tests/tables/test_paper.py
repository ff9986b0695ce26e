"""What goes into a paper: averages, ranks, differences, classes, and how a table is set."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.table import table
from harness.core.errors import HarnessWarning, SpecError
from harness.core.spec import digest
from harness.statistics.intervals import mean_interval
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.suites.suite import expand, parse_suite
from tests.judging import compute
from tests.synthetic import answers, make_failed, make_record, write_grid, write_run

SKILLS = {"full": 2.3, "lora": 2.25, "prefix": 0.8, "adapters": 1.9}
TASKS = ("sst2", "mrpc", "rte")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four methods on three tasks, of which mrpc has two metrics; a method without a result on one of them."""
    results = tmp_path_factory.mktemp("results")
    write_grid(results, SKILLS, tasks=TASKS, n_seeds=4, n_curve=1)
    store = Store(results)
    read = reader(store)
    for run in store.records():
        if run.spec.task.name == "mrpc":
            found = read(run, "test")
            assert found
            f1 = compute("f1", found.targets.tolist(), found.predictions.tolist())
            path = store.folder(run.run_id) / "record.json"
            data = json.loads(path.read_text())
            path.write_text(json.dumps(data | {"metrics": data["metrics"] | {"test/f1": f1}}))
    for seed in range(4):
        write_run(results, make_failed("bitfit", seed, "skipped", "no biases", task="sst2"))
        write_run(results, make_record("bitfit", seed, task="rte", accuracy=0.6))
    return results


def shown(results: Path, capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    table(results=results, **settings)
    return capsys.readouterr().out


def rows_of(text: str) -> dict[str, dict[str, str]]:
    """The rows of a CSV by their first column."""
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    rows = list(csv.DictReader(io.StringIO(body)))
    return {next(iter(row.values())): row for row in rows}


def scores(results: Path, method: str, task: str, metric: str = "accuracy") -> np.ndarray:
    runs = [r for r in Store(results).records() if (r.spec.method.name, r.spec.task.name) == (method, task)]
    return np.array([run.metrics[f"test/{metric}"] for run in sorted(runs, key=lambda run: run.spec.seed)])


def test_a_task_with_two_metrics_has_two_columns_and_counts_once(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(shown(results, capsys, metric="all", average=True, format="csv"))
    assert float(rows["lora"]["mrpc f1 mean"]) == pytest.approx(scores(results, "lora", "mrpc", "f1").mean())
    mrpc = (scores(results, "lora", "mrpc") + scores(results, "lora", "mrpc", "f1")) / 2
    by_seed = (scores(results, "lora", "sst2") + mrpc + scores(results, "lora", "rte")) / 3
    expected = mean_interval(by_seed.tolist())
    assert float(rows["lora"]["average mean"]) == pytest.approx(expected.mean)
    assert float(rows["lora"]["average half_width"]) == pytest.approx(expected.half_width)
    assert rows["bitfit"]["average mean"] == ""
    standings = {method: row["average standing"] for method, row in rows.items()}
    assert standings["prefix"] == "worse"
    assert sorted(standings.values()).count("best") == 1
    assert rows["bitfit"]["average status"].startswith("– [")


def test_the_average_rank_is_that_of_the_rows_with_all_tasks(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scipy.stats import rankdata

    rows = rows_of(shown(results, capsys, rank=True, format="csv"))
    means = np.array([[scores(results, method, task).mean() for method in SKILLS] for task in TASKS])
    expected = rankdata(-means, axis=1).mean(axis=0)
    assert [float(rows[method]["average rank"]) for method in SKILLS] == pytest.approx(expected.tolist())
    assert rows["bitfit"]["average rank"] == ""


def test_an_average_of_unlike_metrics_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"primary_metric": "mae", "metrics": {"test/mae": 0.5}}
    write_run(tmp_path, make_record("lora", task="stsb", **error))
    write_run(tmp_path, make_record("lora"))
    with pytest.raises(SpecError, match="mae is none"):
        table(results=tmp_path, average=True)
    with pytest.raises(SpecError, match="put task into --columns"):
        table(results=tmp_path, average=True, rows="task")
    assert "stsb (mae ↓)" in shown(tmp_path, capsys)


def test_every_number_stands_under_its_own_metric_whatever_makes_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With methods as columns and tasks as rows a column holds several metrics, so each row names its own."""
    write_run(tmp_path, make_record("lora", task="cola", primary_metric="mcc", metrics={"test/mcc": 0.4}))
    write_run(tmp_path, make_record("lora", task="sst2"))
    lines = shown(tmp_path, capsys, columns="method", rows="task").splitlines()
    assert lines[0] == "| task | metric | lora |"
    assert lines[2].startswith("| cola | mcc | 40.0 (1)")
    assert lines[3].startswith("| sst2 | accuracy | ")
    assert "| task | lora (accuracy) |" in shown(tmp_path, capsys, columns="method", rows="task", metric="accuracy")


def test_differences_to_a_row_are_paired(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(results, capsys, relative_to="full", dagger=True, average=True)
    rows = rows_of(shown(results, capsys, relative_to="full", average=True, format="csv"))
    by_seed = scores(results, "prefix", "rte") - scores(results, "full", "rte")
    assert float(rows["prefix"]["rte accuracy mean"]) == pytest.approx(by_seed.mean())
    assert float(rows["prefix"]["rte accuracy sd"]) == pytest.approx(by_seed.std(ddof=1))
    assert float(rows["prefix"]["rte accuracy half_width"]) > mean_interval(by_seed.tolist()).half_width / 3
    assert float(rows["full"]["rte accuracy mean"]) == pytest.approx(scores(results, "full", "rte").mean())
    means = {m: np.mean([scores(results, m, task).mean() for task in TASKS]) for m in ("lora", "full")}
    assert float(rows["lora"]["average mean"]) == pytest.approx(means["lora"] - means["full"])
    line = next(line for line in text.splitlines() if line.startswith("| prefix"))
    assert line.count("†") == 4
    assert line.count("| -") == 4
    assert "†" not in next(line for line in text.splitlines() if line.startswith("| full"))
    assert "significantly worse than full" in text
    assert rows["bitfit"]["rte accuracy status"].startswith("not paired [")
    with pytest.raises(SpecError, match="did you mean 'full'"):
        table(results=results, relative_to="ful")


@pytest.mark.parametrize(
    ("spread", "of"),
    [
        ("sd", lambda v: v.std(ddof=1)),
        ("se", lambda v: v.std(ddof=1) / 2),
        ("ci", lambda v: 3.1824 * v.std(ddof=1) / 2),
    ],
)
def test_what_follows_plus_minus(spread: str, of: Any, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(results, capsys, spread=spread, decimals=2, where=["task=rte"])
    values = 100 * scores(results, "prefix", "rte")
    line = next(line for line in text.splitlines() if line.startswith("| prefix"))
    assert line == f"| prefix | {values.mean():.2f} ± {of(values):.2f} (4) |"
    bare = shown(results, capsys, spread="none", where=["task=rte"])
    assert f"| prefix | {values.mean():.1f} (4) |" in bare
    assert "mean over seeds" in bare


def test_seeds_that_agree_tell_no_standard_deviation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(2):
        write_run(tmp_path, make_record("zero_shot", seed, accuracy=0.75))
    assert "| 75.0 (2) [2] |" in shown(tmp_path, capsys, average=True)
    assert "| zero_shot | 75.0 (2) [1] |" in shown(tmp_path, capsys, spread="sd")
    assert "they tell no spread" in shown(tmp_path, capsys, spread="sd")
    assert "| zero_shot | 75.0 (2) |" in shown(tmp_path, capsys, spread="none")


def test_second_best_is_underlined(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(results, capsys, underline=True, where=["task=rte"])
    means = sorted((scores(results, method, "rte").mean() for method in SKILLS), reverse=True)
    (found,) = re.findall(r"<u>\**([\d.]+) ±", text)
    assert float(found) == pytest.approx(100 * means[1], abs=0.051)


def test_costs_stand_once_in_a_row(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"costs": "trainable_params", "format": "csv"}
    rows = rows_of(shown(results, capsys, costs_per="row", **settings))
    assert [head for head in rows["full"] if "trainable" in head] == ["trainable_params"]
    assert float(rows["full"]["trainable_params"]) == 22_700_000
    rows = rows_of(shown(results, capsys, **settings))
    assert len([head for head in rows["full"] if "trainable" in head]) == 3


@pytest.mark.parametrize(
    ("score", "reference"), [("f1", f1_score), ("recall", recall_score), ("precision", precision_score)]
)
def test_scores_of_each_class(score: str, reference: Any, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(shown(results, capsys, per_class=score, where=["task=rte", "method=lora"], format="csv"))
    store = Store(results)
    runs = [r for r in store.records() if (r.spec.method.name, r.spec.task.name) == ("lora", "rte")]
    found = [answers for run in runs if (answers := reader(store)(run, "test"))]
    values = np.array([reference(one.targets, one.predictions, average=None) for one in found])
    n = np.bincount(found[0].targets)
    for label in (0, 1):
        head = f"{label} n = {n[label]}"
        assert float(rows["lora"][f"{head} mean"]) == pytest.approx(values[:, label].mean())
        assert float(rows["lora"][f"{head} sd"]) == pytest.approx(values[:, label].std(ddof=1))


def test_classes_on_which_seeds_agree_have_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = np.arange(20) % 2
    for seed in range(2):
        write_run(tmp_path, make_record("zero_shot", seed), answers(targets, targets == 0))
    text = shown(tmp_path, capsys, per_class="recall")
    assert "| method | 0 (n = 10) | 1 (n = 10) |" in text
    assert "| zero_shot | 100.0 (2) | 0.0 (2) |" in text


def test_what_does_not_go_together_is_told(results: Path) -> None:
    with pytest.raises(SpecError, match=r"about one task.*mrpc, rte, sst2"):
        table(results=results, per_class="f1")
    with pytest.raises(SpecError, match="leave out average"):
        table(results=results, per_class="f1", average=True)
    with pytest.raises(SpecError, match="needs a caption"):
        table(results=results, label="tab:x")
    with pytest.raises(SpecError, match="old=new"):
        table(results=results, rename=["lora"])
    with pytest.raises(SpecError, match="either all or"):
        table(results=results, metric="all,f1")


def test_tests_out_of_domain_are_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(2):
        record = make_record("lora", seed)
        record["metrics"] |= {"imdb/accuracy": 0.625}
        record["data"] |= {"out_of_domain": {"imdb": {"size": 8, "overlap": 0}}}
        write_run(tmp_path, record)
    text = shown(tmp_path, capsys, out_of_domain=True, rename={"imdb": "IMDb"}, average=True)
    assert "| method | sst2 (accuracy) | sst2 → IMDb (accuracy) | average |" in text
    assert "| 62.5 (2) [" in text
    assert "IMDb" not in shown(tmp_path, capsys, rename={"imdb": "IMDb"})


SUITE = {
    "tasks": ["rotten_tomatoes", "sms_spam"],
    "seeds": [0, 1],
    "methods": {"lora": {}, "prefix": {}},
    "table": {
        "order": ["sms_spam", "prefix"],
        "rename": {"lora": "LoRA", "prefix": "Prefix", "sms_spam": "Spam", "f1": "F$_1$"},
        "spread": "sd",
        "caption": "100 % of it",
        "label": "tab:all",
        "span": "page",
        "fit": True,
    },
}
"""As a TOML file has it."""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite's file beside results that are not all its own."""
    lines = [f"{key} = {json.dumps(SUITE[key])}" for key in ("tasks", "seeds")]
    lines += ["[methods.lora]", "[methods.prefix]", "[table]"]
    settings = {key: value for key, value in SUITE["table"].items() if key != "rename"}
    lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines += ["[table.rename]", *(f'{key} = "{value}"' for key, value in SUITE["table"]["rename"].items())]
    (tmp_path / "paper.toml").write_text("\n".join(lines))
    for cell in expand(parse_suite(SUITE)):
        for spec in (cell.spec, cell.spec.updated(training={"epochs": 9})):
            record = make_record(cell.label, cell.spec.seed, accuracy=0.7 + cell.spec.seed / 10)
            plain = spec.model_dump(mode="json")
            write_run(tmp_path / "results", record | {"spec": plain, "run_id": digest(plain)})
    return tmp_path / "paper.toml"


def test_a_suite_says_how_its_table_is_set(suite: Path) -> None:
    words = ["table", str(suite), "--results", str(suite.parent / "results")]
    done = CliRunner().invoke(app, [*words, "--decimals", "2"], catch_exceptions=False)
    assert done.output.splitlines()[0] == "| method | Spam (accuracy) | rotten_tomatoes (accuracy) |"
    assert done.output.splitlines()[2].startswith("| Prefix | 75.00 ± 7.07 (2)")
    latex = (
        CliRunner().invoke(app, [*words, "--format", "latex", "--label", "tab:other"], catch_exceptions=False).output
    )
    assert r"\caption{100 \% of it}" in latex
    assert r"\label{tab:other}" in latex
    with pytest.raises(SpecError, match=r"unknown field 'table.decimal' \(did you mean 'decimals'\?\)"):
        parse_suite(SUITE | {"table": {"decimal": 1}})
    suite.write_text(suite.read_text().replace("seeds = [0, 1]", "seeds = [1, 7]"))
    with pytest.warns(HarnessWarning, match=r"4 of 8 runs of the suite are not there \(lora on rotten_tomatoes, "):
        CliRunner().invoke(app, words, catch_exceptions=False)
    suite.write_text(suite.read_text().replace("seeds = [1, 7]", "seeds = [7]"))
    with pytest.raises(SpecError, match="no finished run is of this suite"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_latex_shares_heads_and_leaves_out_what_all_cells_have(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [f"method={method}" for method in SKILLS]
    two = shown(results, capsys, metric="all", average=True, format="latex", where=where)
    assert r" & \multicolumn{2}{c}{mrpc} & " in two
    assert r"\cmidrule(lr){2-3}" in two
    assert "method & accuracy & f1 & accuracy & accuracy &" in two
    assert "All cells: 4 seeds." in two
    assert "(4)" not in two
    one = shown(results, capsys, format="latex", where=where)
    assert "method & mrpc & rte & sst2" in one
    assert "All columns: accuracy." in one
    negative = shown(results, capsys, relative_to="full", format="latex", where=["method=full", "method=prefix"])
    assert "prefix & $-$" in negative


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex; apt-get install texlive-latex-extra")
def test_every_span_compiles_in_two_columns(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings: dict[str, Any] = {
        "metric": "all",
        "average": True,
        "rank": True,
        "costs": "trainable_params",
        "fit": True,
    }
    parts = [
        shown(results, capsys, format="latex", caption="It, & more", span=span, underline=True, dagger=True, **settings)
        for span in ("column", "page", "sideways")
    ]
    (tmp_path / "page.tex").write_text(
        "\\documentclass[twocolumn]{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,graphicx,rotating}\n"
        + "\\begin{document}\n"
        + "\n".join(parts)
        + "\\end{document}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)


def test_rows_by_their_means_with_what_has_none_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method, accuracy in (("lora", 0.7), ("full", 0.9), ("prefix", 0.8)):
        for seed in (0, 1):
            write_run(tmp_path, make_record(method, seed, accuracy=accuracy + seed / 100))
    write_run(tmp_path, make_failed("adapters", 0, "failed", "no memory"))

    def rows(**settings: Any) -> list[str]:
        table(results=tmp_path, format="csv", **settings)
        lines = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith("#")]
        return [row["method"] for row in csv.DictReader(lines)]

    assert rows(sort="mean") == ["full", "prefix", "lora", "adapters"]
    assert rows(sort="mean", order=["lora"]) == ["lora", "full", "prefix", "adapters"]
    assert rows() == sorted(rows())
