"""What figures have in common: series that can be told apart, and nothing cut off."""

from pathlib import Path

from harness.figure import FIGURES
from harness.figures._drawing import looks
from harness.figures._files import write_figure
from harness.testing.records import make_record, write_run


def test_twenty_series_differ_and_keep_their_look() -> None:
    look = looks(f"method {i}" for i in range(20))
    assert len({(one["color"], one["marker"]) for one in look.values()}) == 20
    assert len({(one["color"], one["linestyle"]) for one in look.values()}) == 20
    assert look == looks(f"method {i}" for i in reversed(range(20)))


def test_a_long_legend_is_whole(tmp_path: Path) -> None:
    from matplotlib.image import imread

    for i in range(20):
        write_run(tmp_path, make_record(f"a method with a rather long name and the number {i}"))
    write_figure(FIGURES.make("curves"), tmp_path, tmp_path / "curves.png")
    image = imread(tmp_path / "curves.png")
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (edge == 1).all(), "something is drawn over the edge"
