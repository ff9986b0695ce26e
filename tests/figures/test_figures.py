"""Figures of searches, drawn by the commands."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.spec import parse_spec
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from tests.search.stand_in import LORA, stand_in

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for method in ("lora", "prefix"):
        spec = parse_spec({"method": {"name": method}, "task": {"name": "rotten_tomatoes"}})
        search_cell(spec, SearchSpec(trials=12), folder, run_trial=stand_in)
    search_cell(LORA, SearchSpec(trials=12, objectives=("quality", "trainable_params")), folder, run_trial=stand_in)
    return folder


def call(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["plot", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_budget_figure_has_a_curve_for_each_method(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "budget.svg"
    assert call("budget", "--results", str(results), "--out", str(out)).strip() == str(out)
    text = out.read_text()
    assert "<!-- lora -->" in text
    assert "<!-- prefix -->" in text
    first = out.read_bytes()
    call("budget", "--results", str(results), "--out", str(out))
    assert out.read_bytes() == first


def test_study_figures_of_one_and_of_several_objectives(results: Path, tmp_path: Path) -> None:
    n_figures = []
    for path in (results / "studies").glob("lora*.json"):
        paths = call("study", path.stem, "--results", str(results), "--out", str(tmp_path)).split()
        n_figures.append(len(paths))
        assert all(Path(figure).read_bytes().startswith(PNG) for figure in paths)
    assert sorted(n_figures) == [3, 6]
