"""Quality and quantities side by side: the numbers in the figure, what is faint, and what is refused."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessWarning, SpecError
from harness.figure import FIGURES
from harness.figures.parallel import Line, ParallelCoordinates, parallel_panel
from harness.probe import quantities
from harness.statistics.intervals import mean_interval
from tests.synthetic import make_record, write_run

QUANTITIES = ("trainable_params", "train_seconds", "typos_drop")
# Accuracy and quantities by seed: "small" is nowhere better than "best", "cheap" has the fewest parameters.
MEASURED = {
    "best": ([0.9, 0.8], 1000, [10.0, 12.0], [0.1, 0.1]),
    "small": ([0.7, 0.7], 1000, [12.0, 14.0], [0.2, 0.1]),
    "cheap": ([0.5, 0.6], 10, [30.0, 30.0], [0.3, 0.3]),
}


def write(results: Path) -> None:
    for method, (scores, size, seconds, failures) in MEASURED.items():
        for seed in (0, 1):
            record = make_record(method, seed, accuracy=scores[seed])
            record["params"] |= {"trainable_final": size}
            record["cost"] |= {"train_seconds": seconds[seed]}
            write_run(results, record | {"measured": {"typos_drop": failures[seed]}})


def lines(results: Path) -> dict[str, Line]:
    figure: ParallelCoordinates = FIGURES.make("parallel", {"quantity": QUANTITIES})  # type: ignore[assignment]
    chosen = figure.select(results, figure.measure)
    asked = [quantities()[name] for name in QUANTITIES]
    (panel,) = [parallel_panel(each, chosen.label, figure.measure, asked) for each in chosen.comparisons]
    return {line.label: line for line in panel.parts}


def test_values_are_means_over_seeds_and_what_is_nowhere_better_is_faint(tmp_path: Path) -> None:
    write(tmp_path)
    found = lines(tmp_path)
    for method, (scores, size, seconds, failures) in MEASURED.items():
        percent = [100 * score for score in scores]
        assert found[method].values == tuple(map(mean_interval, (percent, [size] * 2, seconds, failures)))
    assert {label for label, line in found.items() if line.is_dominated} == {"small"}


def test_the_better_end_is_above_and_the_legend_is_never_faint(tmp_path: Path) -> None:
    write(tmp_path)
    (axis,) = FIGURES.make("parallel", {"quantity": QUANTITIES}).draw(tmp_path).axes
    lines_drawn = {container.lines[0].get_color(): container.lines[0] for container in axis.containers}
    legend = {handle.get_label(): handle for handle in axis.get_legend_handles_labels()[0]}
    heights = {label: lines_drawn[handle.get_color()].get_ydata() for label, handle in legend.items()}
    assert heights["cheap"][1] == 1
    assert heights["best"][1] == heights["small"][1] == 0
    assert all(heights["best"][place] > heights["cheap"][place] for place in (0, 2, 3))
    assert {handle.get_alpha() for handle in legend.values()} == {None}
    assert lines_drawn[legend["small"].get_color()].get_alpha() < 1
    texts = {text.get_text() for text in axis.texts}
    assert {"1k", "10", "30.0s"} <= texts


def test_a_wide_range_is_logarithmic(tmp_path: Path) -> None:
    for method, size in (("a", 10), ("b", 1000), ("c", 100_000)):
        record = make_record(method)
        record["params"] |= {"trainable_final": size}
        write_run(tmp_path, record)
    (axis,) = FIGURES.make("parallel", {"quantity": ("trainable_params",)}).draw(tmp_path).axes
    assert sorted(container.lines[0].get_ydata()[1] for container in axis.containers) == pytest.approx([0, 0.5, 1])


def test_what_can_t_be_drawn_is_said(tmp_path: Path) -> None:
    write_run(tmp_path, make_record("lora"))
    write_run(tmp_path, make_record("full") | {"measured": {"typos_drop": 0.1}})
    with pytest.warns(HarnessWarning, match="not drawn, as not measured or not finite: lora"):
        FIGURES.make("parallel", {"quantity": ("typos_drop",)}).draw(tmp_path)
    with pytest.warns(HarnessWarning), pytest.raises(SpecError, match="no run has all of test quality, case_drop"):
        FIGURES.make("parallel", {"quantity": ("case_drop",)}).draw(tmp_path)
    with pytest.raises(SpecError, match=r"typo_drop.*typos_drop"):
        FIGURES.make("parallel", {"quantity": ("typo_drop",)})
    with pytest.raises(SpecError, match="twice"):
        FIGURES.make("parallel", {"quantity": ("case_drop", "case_drop")})
