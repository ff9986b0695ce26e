"""The report: its data, its size, and the page in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli.report import report
from harness.core.errors import SpecError
from harness.storage.predictions import reader
from harness.storage.store import Store
from harness.tables.report import CURVE_POINTS, report_data, to_script_json
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


def test_the_page_works_in_a_browser(browser: Any, results: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

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

    Select(browser.find_element(By.ID, "filter-method")).select_by_value("lora")
    wait.until(lambda b: len(shown_rows(b, "#runs-table")) == 13)
    assert {row[4].partition(",")[0] for row in shown_rows(browser, "#runs-table")} == {"lora"}
    assert {row[3].partition(",")[0] for row in shown_rows(browser, "#cells-table")} == {"lora"}
    assert len(browser.find_elements(By.CSS_SELECTOR, "#scatter .scatterlayer .trace")) == 2  # two settings of lora

    browser.find_element(By.CSS_SELECTOR, "#runs-table tbody tr:not([hidden])").click()
    dialog = browser.find_element(By.ID, "run")
    wait.until(lambda b: dialog.is_displayed())
    run_id = shown_rows(browser, "#runs-table")[0][0]
    assert browser.current_url.endswith(f"#run={run_id}")
    record = Store(results).match(run_id)[1]
    facts = dict(row for row in shown_rows(browser, "#run-details") if len(row) == 2)
    assert facts["id"] == run_id
    assert float(facts["training.learning_rate"]) == record.spec.training.learning_rate
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#run-curve .scatterlayer .trace"))
    browser.find_element(By.ID, "close").click()
    wait.until(lambda b: not dialog.is_displayed())

    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")] == []
