"""Quality against the number of training examples: the numbers in the figure, and what is refused."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessWarning, SpecError
from harness.figure import FIGURES
from harness.figures.data_curve import DataCurve, data_panels
from harness.statistics.intervals import mean_interval
from tests.synthetic import make_record, write_amount, write_run


def test_points_are_means_over_seeds_at_the_number_of_examples(tmp_path: Path) -> None:
    """Examples of each class and a limit lie on one scale; a method without some of them has fewer points."""
    scores = {100: [0.5, 0.6], 16: [0.3, 0.5]}
    for seed in (0, 1):
        write_amount(tmp_path, "lora", seed, {"train_limit": 100}, 100, scores[100][seed])
        write_amount(tmp_path, "lora", seed, {"train_per_class": 8}, 16, scores[16][seed])
        write_amount(tmp_path, "full", seed, {"train_per_class": 8}, 16, 0.4)
    figure: DataCurve = FIGURES.make("data_curve")  # type: ignore[assignment]
    chosen = figure.select(tmp_path, figure.measure)
    (panel,) = data_panels(chosen.comparisons, chosen.label, figure.measure, 2)
    full, lora = panel.parts
    assert (panel.title, full.label, lora.label) == ("sst2", "full", "lora")
    assert lora.x.tolist() == [16, 100]
    percent = {n: mean_interval([100 * score for score in values]) for n, values in scores.items()}
    assert lora.mean.tolist() == pytest.approx([percent[n].mean for n in (16, 100)])
    assert lora.half_width.tolist() == pytest.approx([percent[n].half_width for n in (16, 100)])
    assert (full.x.tolist(), full.mean.tolist()) == ([16], [40])
    assert [axis.get_xscale() for axis in figure.draw(tmp_path).axes] == ["log"]


def test_one_number_of_examples_is_no_curve(tmp_path: Path) -> None:
    write_run(tmp_path, make_record("lora"))
    with pytest.raises(SpecError, match=r"a suite with train_limits = \[100, 300\]"):
        FIGURES.make("data_curve").draw(tmp_path)


def test_what_is_no_number_is_named(tmp_path: Path) -> None:
    for n, accuracy in ((10, float("nan")), (20, 0.4), (30, 0.5)):
        write_amount(tmp_path, "lora", 0, {"train_limit": n}, n, accuracy)
    with pytest.warns(HarnessWarning, match="sst2: not drawn, as not finite: lora"):
        FIGURES.make("data_curve").draw(tmp_path)
