"""The contract of figures, as tests."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.core.errors import HarnessWarning, SpecError
from harness.figure import FIGURES, Figure
from harness.figures._files import FileFormat, write_figure
from harness.testing.records import make_record, write_grid, write_run

BEGINNINGS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
TAKEN = {"results", "out", "format", "help"}
"""Options that every figure's command has."""


def write_results(results: Path) -> None:
    """Runs of four methods on two tasks, two seeds each, with predictions; of a task's name nothing is markup."""
    skills = {"first": 2.3, "second": 2.2, "third": 1.0, "fourth": 0.2}
    write_grid(results, skills, tasks=["one", r"two $\x_{"], n_seeds=2, trainable={"fourth": 0})


class FigureContract:
    """Inherited by a class that names a figure, and settings where it can't be drawn without any.

    Example:
        ``class TestMine(FigureContract): plugin = "mine"``
    """

    plugin: ClassVar[str]
    """Its registered name."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Values of its fields."""

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A results folder that it can draw; override it for a figure of something other than runs."""
        folder = tmp_path_factory.mktemp("results")
        write_results(folder)
        return folder

    @pytest.fixture
    def figure(self) -> Figure:
        """The figure with its settings."""
        return FIGURES.make(self.plugin, self.settings)

    def test_it_says_what_it_is(self) -> None:
        """A docstring, which is its command's help, and a source."""
        cls = FIGURES.find(self.plugin)
        assert (cls.__doc__ or "").strip()
        assert cls.source
        assert cls.version >= 1

    def test_every_option_is_described(self) -> None:
        """Fields have a description, and a default unless they are arguments; none hides an option of all figures."""
        cls = FIGURES.find(self.plugin)
        assert not TAKEN & set(cls.model_fields)
        assert set(cls.arguments) <= set(cls.model_fields)
        for name, field in cls.model_fields.items():
            assert field.description, name
            assert name in cls.arguments or not field.is_required(), name

    @pytest.mark.parametrize("suffix", BEGINNINGS)
    def test_it_is_drawn_alike_twice(self, figure: Figure, results: Path, suffix: FileFormat, tmp_path: Path) -> None:
        """The same results give the same bytes, in every format, with fonts that publishers take."""
        first = _drawn(figure, results, tmp_path / "first", suffix)
        assert all(content.startswith(BEGINNINGS[suffix]) for content in first)
        assert first
        assert not any(b"/Type3" in content for content in first)
        assert _drawn(figure, results, tmp_path / "second", suffix) == first

    @pytest.mark.parametrize("width", [1, 2])
    def test_it_fills_the_width_that_is_asked_for(
        self, figure: Figure, results: Path, width: float, tmp_path: Path
    ) -> None:
        """The PNG has its pixels, and nothing is drawn over its edge."""
        from matplotlib.image import imread

        sized = figure.model_copy(update={"width": width})
        _drawn(sized, results, tmp_path, "png")
        for path in tmp_path.glob("*.png"):
            image = imread(path)
            assert sized.inches
            assert abs(image.shape[1] - 200 * sized.inches) <= 1
            assert all((edge == 1).all() for edge in (image[0], image[-1], image[:, 0], image[:, -1])), path.name

    def test_it_leaves_nothing_behind(self, figure: Figure, results: Path, tmp_path: Path) -> None:
        """Neither settings of matplotlib nor open figures, of which a process has only so many."""
        from matplotlib import pyplot, rcParams

        before = dict(rcParams)
        _drawn(figure, results, tmp_path, "png")
        assert dict(rcParams) == before
        assert not pyplot.get_fignums()

    def test_nothing_to_draw_is_a_sentence(self, figure: Figure, tmp_path: Path) -> None:
        """An empty results folder is told, and no file is written."""
        with pytest.raises(SpecError):
            write_figure(figure, tmp_path / "results", tmp_path / "out.png")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("accuracy", [0.5, float("nan"), float("inf")])
    def test_little_or_unsound_is_drawn_or_told(self, figure: Figure, accuracy: float, tmp_path: Path) -> None:
        """One run, whose metric may be no number: a file, perhaps with a warning, or a sentence."""
        write_run(tmp_path, make_record("only", accuracy=accuracy))
        with _warnings_are_ours():
            _drawn_or_told(figure, tmp_path)

    def test_runs_without_results_are_drawn_or_told(self, figure: Figure, results: Path, tmp_path: Path) -> None:
        """Failed and skipped runs beside finished ones, and runs without a curve or a cost."""
        for seed, status in enumerate(("failed", "skipped", "diverged", "ok")):
            empty: dict[str, Any] = {"params": {}, "cost": {}, "curve": []}
            write_run(tmp_path, make_record("first", seed, status=status, **empty) | {"metrics": {}})
        write_run(tmp_path, make_record("second"))
        with _warnings_are_ours():
            _drawn_or_told(figure, tmp_path)


def _drawn(figure: Figure, results: Path, folder: Path, suffix: FileFormat) -> list[bytes]:
    out = folder if figure.is_many else folder / f"figure.{suffix}"
    return [path.read_bytes() for path in write_figure(figure, results, out, suffix)]


def _drawn_or_told(figure: Figure, results: Path) -> None:
    with suppress(SpecError):
        assert all(_drawn(figure, results, results / "figures", "png"))


@contextmanager
def _warnings_are_ours() -> Iterator[None]:
    """Inside, a warning that is no ``HarnessWarning`` is an error."""
    with warnings.catch_warnings(action="error"):
        warnings.simplefilter("ignore", HarnessWarning)
        yield
