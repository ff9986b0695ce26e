"""The report: its data, its size, and the page in a real browser."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from harness.cli.report import report
from harness.core.errors import HarnessWarning, SpecError
from harness.core.spec import TaskSpec, digest, parse_spec
from harness.data.tasks import find_task
from harness.search.record import find_studies
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.storage.explanations import EXPLANATIONS, Explained, keep
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.tables import page_answers
from harness.tables.page_data import CURVE_POINTS, report_data
from harness.tables.report import to_script_json
from tests.search.stand_in import stand_in
from tests.synthetic import make_failed, make_record, write_grid, write_run

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
NASTY = (
    "</script><script>window.attacked = true</script><img src=x onerror='window.attacked = true'> & \u2028 \"quoted\""
)
EXPLAINED = Explained(
    text="a <b>film</b> badly",
    attribution="occlusion",
    prediction="good",
    words=("a", "<b>film</b>", "badly"),
    weights=(0.1, 0.4, -0.2),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    write_grid(
        results,
        {"full": 2.3, "lora": 2.2, "prefix": 0.8},
        tasks=["sst2", "trec"],
        quantizations=["none", "4bit"],
        n_seeds=3,
    )
    write_run(results, make_failed("bitfit", 0, "failed", NASTY))
    diverged = make_failed("adapters", 0, "diverged", "loss is NaN")
    write_run(results, diverged | {"curve": [{"step": 1, "train_loss": float("nan")}, {"step": 2, "train_loss": 0.5}]})
    write_run(results, make_record("lora", 0, settings={"rank": 64}, training={"learning_rate": 1e-3}, task="trec"))
    store = Store(results)
    keep(EXPLAINED, store.folder(next(run.run_id for run in store.records() if run.status == "ok")))
    return results


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    report(results=results, out=out)
    return out


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), flags=re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_every_run_is_in_it_with_spec_and_curve(results: Path, page: Path) -> None:
    data = data_of(page)
    runs = {run["id"]: run for run in data["runs"]}
    for record in Store(results).records():
        run = runs.pop(record.run_id)
        spec = data["specs"][run["spec"]]
        assert spec["training.learning_rate"] == record.spec.training.learning_rate
        assert run["seed"] == record.spec.seed
        assert run["curve"].get("step", []) == [row["step"] for row in record.curve]
        assert data["environments"][run["environment"]]["versions.torch"] == "2.13.0"
    assert not runs


def test_cells_and_pairs_agree_with_the_table(results: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli.table import table

    table(results=results, rows="method,quantization", where=["task=sst2"], format="csv", family="comparison")
    shown = capsys.readouterr().out
    data = data_of(page)
    cells = [c for c in data["cells"] if c["task"] == "sst2" and c["method"] == "full"]
    assert len(cells) == 2
    for cell in cells:
        line = next(line for line in shown.splitlines() if line.startswith(f"full,{cell['quantization']},"))
        assert float(line.split(",")[2]) == pytest.approx(cell["mean"], rel=1e-4)
    methods = {tuple(p[side].partition(",")[0] for side in "ab") for p in data["pairs"] if p["task"] == "sst2"}
    assert methods == {
        ("full", "lora"),
        ("full", "prefix"),
        ("lora", "prefix"),
    }


def test_settings_of_one_method_become_rows(page: Path) -> None:
    labels = {cell["label"] for cell in data_of(page)["cells"] if cell["method"] == "lora" and cell["task"] == "trec"}
    assert "lora, method.rank=64, training.learning_rate=0.001" in labels


def test_script_json_survives_nasty_text_and_numbers() -> None:
    data = {"text": NASTY, "values": [float("nan"), float("inf"), 0.123456789, 3]}
    text = to_script_json(data)
    assert "</" not in text
    assert json.loads(text) == {"text": NASTY, "values": [None, None, 0.12346, 3]}


def test_long_curves_keep_their_last_point(tmp_path: Path) -> None:
    write_run(tmp_path, make_record(n_curve=1001))
    store = Store(tmp_path)
    (run,) = report_data(list(store.records()), reader(store))["runs"]
    assert len(run["curve"]["step"]) <= CURVE_POINTS
    assert run["curve"]["step"][-1] == 10_010


def test_two_thousand_runs_fit_in_10_megabytes(tmp_path: Path) -> None:
    skills = {f"method_{i}": 2 - i / 5 for i in range(8)}
    n_runs = write_grid(
        tmp_path,
        skills,
        tasks=[f"task_{i}" for i in range(10)],
        bases=["a", "b"],
        quantizations=["none", "8bit", "4bit"],
        n_seeds=4,
        n_examples=40,
        n_curve=100,
    )
    out = tmp_path / "report.html"
    report(results=tmp_path, where=["base=a", "base=b"], out=out)
    assert n_runs == 1920
    assert out.stat().st_size < 9_500_000


def test_an_unwritable_output_is_named(results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="choose another --out"):
        report(results=results, out=tmp_path / "file" / "report.html")


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("no chromium or chromedriver; apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    driver.get(page.as_uri())
    yield driver
    driver.quit()


def shown_rows(browser: Any, table: str) -> list[list[str]]:
    """The text of the visible rows."""
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(row => !row.hidden)"
        ".map(row => [...row.cells].map(cell => cell.textContent))",
        table,
    )


def tick(browser: Any, axis: str, *values: str) -> None:
    """Choose several values of an axis, as a reader does."""
    from selenium.webdriver.common.by import By

    browser.find_element(By.CSS_SELECTOR, f"#filter-{axis} summary").click()
    for value in values:
        browser.find_element(By.CSS_SELECTOR, f"#filter-{axis} input[value='{value}']").click()
    browser.find_element(By.CSS_SELECTOR, f"#filter-{axis} summary").click()


def limit(browser: Any, quantity: str, amount: str) -> None:
    """Add a limit, as a reader does."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element(By.ID, "add-limit")).select_by_value(quantity)
    browser.find_element(By.ID, f"limit-{quantity}").send_keys(amount)


def start_again(browser: Any, page: Path, state: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + state)


def test_the_page_works_in_a_browser(browser: Any, page: Path, results: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    start_again(browser, page)
    wait = WebDriverWait(browser, 20)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#scatter .scatterlayer .trace"))
    assert len(shown_rows(browser, "#runs-table")) == 39
    assert not browser.execute_script("return window.attacked")

    heading = browser.find_element(By.CSS_SELECTOR, "#runs-table th[data-key=test]")
    for descending in (False, True):
        heading.click()
        values = [float(row[8]) for row in shown_rows(browser, "#runs-table") if row[8]]
        assert len(values) == 37
        assert values == sorted(values, reverse=descending)

    tick(browser, "method", "lora", "prefix")
    wait.until(lambda b: len(shown_rows(b, "#runs-table")) == 25)
    assert {row[4].partition(",")[0] for row in shown_rows(browser, "#runs-table")} == {"lora", "prefix"}
    assert {row[3].partition(",")[0] for row in shown_rows(browser, "#cells-table")} == {"lora", "prefix"}
    shown = {(row[0], row[1].partition(",")[0]) for row in shown_rows(browser, "#matrix-table")}
    assert shown == {(quantization, method) for quantization in ("4bit", "none") for method in ("lora", "prefix")}
    tick(browser, "method", "prefix")
    wait.until(lambda b: len(shown_rows(b, "#runs-table")) == 13)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#scatter .scatterlayer .trace")) == 2  # two settings of lora

    browser.find_element(By.CSS_SELECTOR, "#runs-table tbody tr:not([hidden])").click()
    dialog = browser.find_element(By.ID, "run")
    wait.until(lambda b: dialog.is_displayed())
    run_id = shown_rows(browser, "#runs-table")[0][0]
    assert f"run={run_id}" in browser.current_url
    record = Store(results).match(run_id)[1]
    facts = dict(row for row in shown_rows(browser, "#run-details") if len(row) == 2)
    assert facts["id"] == run_id
    assert float(facts["training.learning_rate"]) == record.spec.training.learning_rate
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#run-curve .scatterlayer .trace"))
    browser.find_element(By.ID, "close").click()
    wait.until(lambda b: not dialog.is_displayed())
    assert errors_of(browser) == []


def test_what_was_explained_of_a_run_is_shaded(browser: Any, page: Path, results: Path) -> None:
    from selenium.webdriver.common.by import By

    start_again(browser, page, f"#run={explained_run(results)}")
    assert browser.find_element(By.CSS_SELECTOR, "#explained b").text == "good, by occlusion:"
    marks = browser.find_elements(By.CSS_SELECTOR, "#explained mark")
    assert [(mark.text, mark.get_attribute("class")) for mark in marks] == [
        ("a", "for"),
        ("<b>film</b>", "for"),
        ("badly", "against"),
    ]
    shades = [browser.execute_script("return getComputedStyle(arguments[0]).backgroundColor", mark) for mark in marks]
    assert len(set(shades)) == 3
    other = next(run.run_id for run in Store(results).records() if run.run_id != explained_run(results))
    start_again(browser, page, f"#run={other}")
    assert not browser.find_elements(By.ID, "explained")


def explained_run(results: Path) -> str:
    """The run that has an explanation."""
    return next(folder.parent.name for folder in results.glob(f"runs/*/{EXPLANATIONS}"))


def errors_of(browser: Any) -> list[Any]:
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def test_best_under_limits_is_answered_and_kept_in_the_address(browser: Any, page: Path, results: Path) -> None:
    """The question: what is best under 1 GB and 100 s? Full fine-tuning is the best, but takes 121 s and 1.3 GB."""
    from selenium.webdriver.common.by import By

    start_again(browser, page)
    best = browser.find_element(By.ID, "best")
    assert "full, " in best.text
    limit(browser, "peak_memory_bytes", "1 GB")
    limit(browser, "train_seconds", "100s")
    expected = {}
    for record in Store(results).records():
        seconds, memory = record.cost.train_seconds, record.cost.peak_memory_bytes.train
        if record.status == "ok" and seconds and seconds <= 100 and memory and memory <= 1e9:
            key = (
                record.spec.task.name,
                record.spec.base.quantization,
                record.spec.method.name,
                str(record.spec.method),
            )
            expected.setdefault(key, []).append(record.metrics["test/accuracy"])
    for line in best.text.splitlines():
        setting, _, answer = line.partition(": ")
        task, _, quantization = setting.split(" · ")
        means = {key[2:]: sum(v) / len(v) for key, v in expected.items() if key[:2] == (task, quantization)}
        winner = max(means, key=lambda key: means[key])
        assert answer.startswith(f"{winner[0]}, ")
        assert f"{100 * means[winner]:.1f}" in answer
    assert len(best.text.splitlines()) == 4
    assert "full" not in {row[3] for row in shown_rows(browser, "#cells-table")}

    answered, address = best.text, browser.current_url
    start_again(browser, page, "#" + address.partition("#")[2])
    assert browser.find_element(By.ID, "best").text == answered
    assert browser.find_element(By.ID, "limit-train_seconds").get_attribute("value") == "100s"
    browser.find_element(By.ID, "limit-train_seconds").clear()
    browser.find_element(By.ID, "limit-train_seconds").send_keys("100000 ms")
    assert browser.find_element(By.ID, "best").text == answered
    browser.find_element(By.ID, "limit-train_seconds").send_keys("x")
    assert shown_rows(browser, "#cells-table") == []  # what is no amount admits nothing, and is marked
    assert "wrong" in browser.find_element(By.ID, "limit-train_seconds").get_attribute("class")
    assert errors_of(browser) == []


def column(browser: Any, table: str, key: str) -> list[str]:
    """The visible texts of a column."""
    keys = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' th')].map(head => head.dataset.key)", table
    )
    return [row[keys.index(key)] for row in shown_rows(browser, table)]


def test_what_a_probe_measured_is_sorted_and_limited(browser: Any, tmp_path: Path) -> None:
    """A column like any cost; what was not measured comes last, and no limit admits it."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    drops = {"full": [0.31, 0.29], "lora": [0.12, 0.1], "adapters": [0.05, -0.01], "prefix": [None, None]}
    for method, values in drops.items():
        for seed, value in enumerate(values):
            write_run(
                tmp_path, make_record(method, seed) | {"measured": {} if value is None else {"typos_drop": value}}
            )
    report(results=tmp_path, out=tmp_path / "report.html")
    start_again(browser, tmp_path / "report.html")
    for table, numbers in (("#runs-table", [0.31, 0.29, 0.12, 0.1, 0.05, -0.01]), ("#cells-table", [0.3, 0.11, 0.02])):
        for ordered in (numbers[::-1], numbers):
            heading = browser.find_element(By.CSS_SELECTOR, f"{table} th[data-key=typos_drop]")
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", heading)
            heading.click()
            shown = column(browser, table, "typos_drop")
            assert [float(text) for text in shown[: len(ordered)]] == pytest.approx(ordered)
            assert set(shown[len(ordered) :]) <= {"", "–"}
    limit(browser, "typos_drop", "0.11")
    assert {float(text) for text in column(browser, "#cells-table", "typos_drop")} == {0.11, 0.02}
    assert set(column(browser, "#cells-table", "label")) == {"adapters", "lora"}
    Select(browser.find_element(By.ID, "cost")).select_by_value("typos_drop")
    assert "typos drop" in browser.find_element(By.ID, "scatter").text
    assert errors_of(browser) == []


def test_any_field_is_searched(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By

    start_again(browser, page)
    box = browser.find_element(By.ID, "search")
    for words, n in (
        ("rank=64 learning_rate=0.001", 1),
        ("synthetic lora 4bit", 6),
        ("nan diverged", 1),
        ("no such", 0),
    ):
        box.clear()
        box.send_keys(words)
        assert len(shown_rows(browser, "#runs-table")) == n, words


def test_two_methods_example_by_example(browser: Any, page: Path, results: Path) -> None:
    from selenium.webdriver.common.by import By

    from harness.statistics.intervals import majority_vote

    state = quote("|".join(map(quote, ("sst2 · minilm · none", "full", "prefix"))))
    start_again(browser, page, f"#compare={state}")
    store = Store(results)
    votes, targets = {}, np.array([])
    for method in ("full", "prefix"):
        runs = [
            run
            for run in store.records()
            if (run.spec.method.name, run.spec.task.name, run.spec.base.quantization) == (method, "sst2", "none")
        ]
        found = [answers for run in runs if (answers := reader(store)(run, "test"))]
        votes[method], targets = majority_vote(np.stack([one.predictions for one in found])), found[0].targets
    differ = votes["full"] != votes["prefix"]
    only = [(differ & (votes[method] == targets)).sum() for method in votes]
    text = browser.find_element(By.ID, "answers-summary").text
    assert text.startswith(f"{differ.sum()} of {len(targets)} test examples answered differently")
    assert f"only a is right on {only[0]}, only b on {only[1]}, neither on 0" in text
    assert len(shown_rows(browser, "#answers-table")) == min(200, differ.sum())
    counts = [int(row[1 + label]) for row in shown_rows(browser, "#confusions figure:first-child") for label in (0, 1)]
    assert counts == [int(((targets == t) & (votes["full"] == v)).sum()) for t in (0, 1) for v in (0, 1)]


def test_what_is_shown_can_be_downloaded(browser: Any, page: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    start_again(browser, page, "#task=trec&quantization=none&method=lora,full")
    browser.find_element(By.CSS_SELECTOR, '.save[data-of="cells-table"]').click()
    out = tmp_path / "cells-table.csv"
    WebDriverWait(browser, 20).until(lambda _: out.exists() and out.stat().st_size)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["method"].partition(",")[0] for row in rows] == ["full", "lora", "lora"]
    assert all(0 < float(row["mean ± 95 %"]) < 1 for row in rows)


def test_it_is_readable_in_the_dark_and_on_a_phone(browser: Any, page: Path) -> None:
    colours = "const of = getComputedStyle(document.body); return [of.color, of.backgroundColor]"
    start_again(browser, page)
    light = browser.execute_script(colours)
    try:
        for command, arguments in (
            ("setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
            ("setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}),
        ):
            browser.execute_cdp_cmd(f"Emulation.{command}", arguments)
        start_again(browser, page)
        ink, paper = (sum(map(int, re.findall(r"\d+", text)[:3])) for text in browser.execute_script(colours))
        assert browser.execute_script(colours) != light
        assert ink - paper > 400
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_trials_of_a_search_are_no_results(tmp_path: Path) -> None:
    """Neither they nor the winner on the seed that chose it are cells; the study is shown with its trials."""
    spec = parse_spec({"method": {"name": "prefix"}, "task": {"name": "rotten_tomatoes"}})
    search_cell(spec, SearchSpec(trials=12), tmp_path, run_trial=stand_in)
    (study,) = find_studies(tmp_path)
    (winner,) = study.best
    assert winner
    for trial in study.trials:
        for seed in (0, 1) if trial.number in (0, winner) else (0,):
            plain = study.spec_of(trial.number).updated(seed=seed).model_dump(mode="json")
            record = make_record("prefix", seed, accuracy=0.5 + trial.number / 100 + seed / 10)
            write_run(tmp_path, record | {"spec": plain, "run_id": digest(plain)})
    store = Store(tmp_path)
    runs = list(store.records())
    data = report_data(runs, reader(store), [study])
    tuned = [cell for cell in data["cells"] if "best of" in cell["label"]]
    assert {cell["label"] for cell in data["cells"]} == {
        "prefix, default",
        f"prefix, best of {study.n_trials_won[winner]} trials",
    }
    assert len(data["runs"]) == len(runs)
    assert [cell["mean"] for cell in tuned] == [pytest.approx(0.6 + winner / 100)]
    assert all(data["runs"][place]["role"] == "result" for cell in data["cells"] for place in cell["runs"])
    assert sum(run["role"] == "search trial" for run in data["runs"]) >= len(study.trials) - 1
    assert [len(one["trials"]) for one in data["studies"]] == [len(study.trials)]
    out = tmp_path / "report.html"
    report(results=tmp_path, out=out)
    assert data_of(out)["studies"][0]["best"] == study.best


def test_other_metrics_are_in_it_untested(tmp_path: Path) -> None:
    for seed, f1 in enumerate((0.5, 0.7)):
        record = make_record("lora", seed)
        write_run(tmp_path, record | {"metrics": record["metrics"] | {"test/f1": f1, "imdb/f1": 0.1}})
    store = Store(tmp_path)
    (cell,) = report_data(list(store.records()), reader(store))["cells"]
    mean, half_width, n = cell["others"]["f1"]
    assert (mean, half_width, n) == (pytest.approx(0.6), pytest.approx(12.7062 * 0.1), 2)
    assert set(cell["others"]) == {"f1"}


def test_texts_are_those_of_the_examples_or_left_out(tmp_path: Path) -> None:
    from harness import data as examples

    lines = [f"film number {n} is {'good' if n % 2 else 'bad'},{n % 2}" for n in range(80)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *lines]))
    name = f"{tmp_path}/reviews.csv?text=text&target=label"
    spec = parse_spec({"method": {"name": "lora"}, "task": {"name": name}}).model_dump(mode="json")
    splits, info = examples.load(find_task(name), TaskSpec(name=name), 0)
    columns = {
        "split": ["test"] * len(splits.test),
        "example_id": [one.id for one in splits.test],
        "target": [one.target for one in splits.test],
        "prediction": [0] * len(splits.test),
    }
    for fingerprint in (info.fingerprint, "another"):
        results = tmp_path / fingerprint
        record = make_record("lora", data={"fingerprint": fingerprint})
        write_run(results, record | {"spec": spec}, columns)
        store = Store(results)
        if fingerprint == "another":
            with pytest.warns(HarnessWarning, match="its examples are not those of the runs"):
                page = report_data(list(store.records()), reader(store), has_texts=True)
            assert set(page["answers"][0]["texts"]) == {""}
        else:
            (found,) = report_data(list(store.records()), reader(store), has_texts=True)["answers"]
            texts = {one.id: one.fields["text"] for one in splits.test}
            assert [texts[name] for name in found["ids"]] == found["texts"]
    assert "texts" not in report_data(list(store.records()), reader(store))["answers"][0]


def test_answers_that_would_make_the_page_too_large_are_counted(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(results)
    everything = report_data(list(store.records()), reader(store))
    assert everything["answers_left_out"] == 0
    monkeypatch.setattr(page_answers, "MOST_CHARACTERS", 4000)
    some = report_data(list(store.records()), reader(store))
    n_kept = sum("votes" in cell for cell in some["cells"])
    assert 0 < n_kept < sum("votes" in cell for cell in everything["cells"])
    assert n_kept + some["answers_left_out"] == sum("votes" in cell for cell in everything["cells"])
