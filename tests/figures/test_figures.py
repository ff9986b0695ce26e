"""Figures of searches, drawn by the commands."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.core.spec import digest, parse_spec
from harness.search.record import find_studies
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.testing.records import make_record, write_run
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
    assert "<!-- lora" in text
    assert "<!-- prefix" in text


def test_budget_figure_of_named_studies(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "budget.svg"
    (prefix,) = (results / "studies").glob("prefix*.json")
    call("budget", prefix.stem, "--results", str(results), "--out", str(out))
    assert "<!-- prefix" in out.read_text()
    assert "<!-- lora" not in out.read_text()


def test_after_a_search_tuned_and_default_settings_are_drawn_apart(results: Path, tmp_path: Path) -> None:
    study = next(one for one in find_studies(results) if one.spec.method.name == "prefix")
    shutil.copytree(results / "studies", tmp_path / "studies")
    for number in {0, *study.best}:
        spec = study.spec_of(number).updated(seed=1).model_dump(mode="json")
        write_run(tmp_path, make_record("prefix", trainable=number, run_id=digest(number)) | {"spec": spec})
    assert study.best != [0]
    call("curves", "--results", str(tmp_path), "--out", str(tmp_path / "curves.svg"))
    text = (tmp_path / "curves.svg").read_text()
    assert "<!-- prefix, default -->" in text
    assert f"<!-- prefix, best of {study.n_trials_won[study.best[0]]} trials -->" in text


def test_a_study_without_its_trials_is_a_sentence(results: Path, tmp_path: Path) -> None:
    (path,) = (results / "studies").glob("prefix*.json")
    (tmp_path / "studies").mkdir()
    shutil.copy(path, tmp_path / "studies")
    with pytest.raises(SpecError, match="give the --storage it has"):
        call("study", path.stem, "--results", str(tmp_path), "--out", str(tmp_path / "figures"))
    with pytest.raises(SpecError, match=f"unknown study 'prefi'.*{path.stem}"):
        call("study", "prefi", "--results", str(tmp_path))


def test_study_figures_of_each_objective(results: Path, tmp_path: Path) -> None:
    name = next(one.name for one in find_studies(results) if len(one.search.objectives) > 1)
    paths = call("study", name, "--results", str(results), "--out", str(tmp_path)).split()
    kinds = ("history", "importances", "slice")
    objectives = ("quality", "trainable_params")
    assert [Path(path).name for path in paths] == [f"{name}-{what}-{kind}.png" for what in objectives for kind in kinds]
    assert all(Path(path).read_bytes().startswith(PNG) for path in paths)


def test_no_study_at_all_is_a_sentence(tmp_path: Path) -> None:
    for words in (["budget"], ["budget", "lora"], ["study", "lora"]):
        with pytest.raises(SpecError, match=r"no study .*`harness search` makes one"):
            call(*words, "--results", str(tmp_path))
