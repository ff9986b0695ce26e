"""One plug-in of each kind, as a newcomer would write it, brought by entry points: listed, run, shown."""

import tomllib
from pathlib import Path

import pytest

from tests.installed import install, python

HERE = Path(__file__).parent
KINDS = ("method", "task", "formulation", "metric", "recipe", "probe", "figure", "executor")
ENTRY_POINTS = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    modules = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "harness_examples").glob("*.py")}
    return install(tmp_path_factory.mktemp("site"), "harness_examples", modules, ENTRY_POINTS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_one_short_file(kind: str) -> None:
    text = (HERE / "harness_examples" / f"{kind}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40


def test_each_is_listed(site: Path) -> None:
    for group, names in ENTRY_POINTS.items():
        kind = "tasks" if group == "harness.benchmarks" else group.removeprefix("harness.")
        shown = python(site, "harness", "list", kind)
        assert shown.returncode == 0, shown.stderr
        for name in names:
            assert name in shown.stdout


SUITE = """
bases = ["{base}"]
tasks = ["{task}"]
seeds = [0, 1]
worth_claiming = 0.5
recipes = ["none", "{recipe}"]
probes = ["{probe}"]

[base]
max_length = 32

[task]
path = "{data}"

[training]
max_steps = 2
batch_size = 8

[methods.{method}]
"""


def the(kind: str) -> str:
    """The name of the example of a kind."""
    (name,) = ENTRY_POINTS["harness.benchmarks" if kind == "task" else f"harness.{kind}s"]
    return name


@pytest.fixture(scope="module")
def results(site: Path, snapshots: dict[str, Path], tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of examples alone, run by the example of an executor."""
    folder = tmp_path_factory.mktemp("results")
    names = {kind: the(kind) for kind in ("task", "recipe", "probe", "method")}
    text = SUITE.format(base=snapshots["encoder"], data=tiny_data, **names)
    (folder / "suite.toml").write_text(text, encoding="utf-8")
    done = python(
        site, "harness", "suite", folder / "suite.toml", "--executor", the("executor"), "--results", folder / "results"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("4 cells: 4 ok")
    return folder / "results"


def test_a_suite_of_examples_is_a_table(site: Path, results: Path) -> None:
    shown = python(
        site, "harness", "table", "--results", results, "--metric", the("metric"), "--costs", "energy_joules"
    )
    assert shown.returncode == 0, shown.stderr
    for word in (the("method"), the("task"), the("recipe"), the("metric"), "energy_joules"):
        assert word in shown.stdout


def test_the_page_and_the_figures_have_them(site: Path, results: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert python(site, "harness", "report", "--results", results, "--out", page).returncode == 0
    for word in (the("method"), the("recipe"), "energy_joules"):
        assert word in page.read_text(encoding="utf-8")
    for arguments in ((the("figure"),), ("pareto", "--cost", "energy_joules")):
        out = tmp_path / f"{arguments[0]}.svg"
        drawn = python(site, "harness", "plot", *arguments, "--results", results, "--out", out)
        assert drawn.returncode == 0, drawn.stderr
        assert "<svg" in out.read_text(encoding="utf-8")


def test_the_formulation_answers(site: Path, snapshots: dict[str, Path], tiny_data: Path, tmp_path: Path) -> None:
    names = ("--method", the("method"), "--task", the("task"), "--base", snapshots["encoder"])
    settings = (f"formulation={the('formulation')}", f"task.path={tiny_data}", "training.max_steps=2")
    given = [word for setting in settings for word in ("--set", setting)]
    done = python(site, "harness", "run", *names, *given, "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "test/accuracy" in done.stdout
