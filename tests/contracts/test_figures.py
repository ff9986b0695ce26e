"""Every figure that ships keeps the contract of figures."""

from itertools import product
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import SpecError
from harness.core.spec import parse_spec
from harness.figure import FIGURES, Figure
from harness.search.spec import SearchSpec
from harness.search.study import search_cell
from harness.testing.figure import FigureContract
from tests.search.stand_in import stand_in
from tests.synthetic import write_amount

SPEC = parse_spec({"method": {"name": "lora"}, "task": {"name": "rotten_tomatoes"}})


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a study of four trials."""
    folder = tmp_path_factory.mktemp("studies")
    search_cell(SPEC, SearchSpec(trials=4), folder, run_trial=stand_in)
    return folder


class TestPareto(FigureContract):
    plugin = "pareto"


class TestParallel(FigureContract):
    plugin = "parallel"


class TestCurves(FigureContract):
    plugin = "curves"


class TestDataCurve(FigureContract):
    plugin = "data_curve"

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("amounts")
        for limit, seed, method in product((8, 32, 128), (0, 1), ("first", "second")):
            write_amount(folder, method, seed, {"train_limit": limit}, limit, 0.5 + limit / 1000 + seed / 100)
        return folder


class TestCriticalDifference(FigureContract):
    plugin = "critical_difference"


class TestConfusion(FigureContract):
    plugin = "confusion"


class TestBudget(FigureContract):
    plugin = "budget"

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls, studies: Path) -> Path:
        return studies


class TestStudy(TestBudget):
    plugin = "study"

    @pytest.fixture
    def figure(self, studies: Path) -> Figure:
        (path,) = (studies / "studies").glob("*.json")
        return FIGURES.make("study", {"study": path.stem})


@pytest.mark.usefixtures("examples")
class TestExample(FigureContract):
    plugin = "seeds"
    settings: ClassVar = {"spread": 0.5}

    def test_its_fields_are_options_of_its_command(self, results: Path, tmp_path: Path) -> None:
        out = tmp_path / "seeds.svg"
        words = ["plot", "seeds", "--where", "task=one", "--spread", "0", "--results", str(results), "--out", str(out)]
        assert CliRunner().invoke(app, words, catch_exceptions=False).output.strip() == str(out)
        assert "one, " in out.read_text(encoding="utf-8")
        assert "two" not in out.read_text(encoding="utf-8")
        assert "seeds" in CliRunner().invoke(app, ["plot", "--help"]).output
        shown = " ".join(CliRunner().invoke(app, ["plot", "seeds", "--help"]).output.split())
        assert all(text in shown for text in ("--spread", "1 leaves no gap", "[default: 0.3]"))
        assert "seeds" in CliRunner().invoke(app, ["list", "figures"]).output

    def test_a_value_out_of_range_is_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match=r"seeds\.spread: .*less than or equal to 1; got 2"):
            CliRunner().invoke(app, ["plot", "seeds", "--spread", "2"], catch_exceptions=False)


def test_every_figure_is_held_by_it() -> None:
    held = {value.plugin for name, value in globals().items() if name.startswith("Test")}
    assert held - {"seeds"} == set(FIGURES.names())
