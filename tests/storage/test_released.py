"""Records and a study written by version 0.1.0, before plug-ins had one registry: still read, with the same figures."""

import zipfile
from pathlib import Path

import pytest

from harness.cells.tuning import labelled_records
from harness.search.record import find_studies
from harness.storage.store import Store
from tests.test_cli import harness as run_cli

MEANS = {
    "adalora": 40.6,
    "adapters": 27.1,
    "full": 19.8,
    "last_layers": 18.8,
    "lora": 26.0,
    "prefix": 33.3,
    "zero_shot": 72.9,
}
"""Percent of test accuracy over two seeds, as that version's own table printed them."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    with zipfile.ZipFile(Path(__file__).parent / "released.zip") as file:
        file.extractall(folder)
    return folder


def test_the_table_has_the_figures_it_had(released: Path) -> None:
    shown = run_cli("table", "--results", released / "plain", "--costs", "trainable_params,stored_bytes").stdout
    rows = [line.replace("*", "").split("|") for line in shown.splitlines() if line.startswith("| ")][2:]
    assert {row[1].strip(): float(row[2].split()[0].strip("_<u>/")) for row in rows} == MEANS
    assert "22.7M" in shown


def test_every_command_that_reads_results_reads_them(released: Path, tmp_path: Path) -> None:
    results = ("--results", released / "plain")
    assert run_cli("list", "runs", *results).stdout.count("bbc_news") == 14
    run_cli("report", *results, "--out", tmp_path / "report.html")
    assert "last_layers" in (tmp_path / "report.html").read_text()
    run_cli("plot", "pareto", *results, "--out", tmp_path / "pareto.svg")
    run_cli("plot", "curves", *results, "--out", tmp_path / "curves.svg")


def test_a_study_and_its_trials_are_read(released: Path) -> None:
    (study,) = find_studies(released / "searched")
    assert len(study.completed) == 3
    assert study.best == [1]
    records = labelled_records(Store(released / "searched"))
    assert [getattr(record, "tuning", None) for record in records] == ["default"]
