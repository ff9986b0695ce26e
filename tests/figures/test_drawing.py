"""What figures have in common: series that can be told apart, and nothing cut off."""

import json
import re
import shutil
import subprocess
from importlib import resources
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from harness.figure import FIGURES
from harness.figures._drawing import COLORS, looks
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


MACHADO = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "full sight": np.eye(3).tolist(),
}
"""Linear RGB as it is seen: Machado et al. 2009, https://doi.org/10.1109/TVCG.2009.113, at severity 1."""

TO_XYZ = np.array([[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(color: str, sight: str) -> np.ndarray:
    """CIELAB of a colour as it is seen."""
    srgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratios = TO_XYZ @ np.clip(np.array(MACHADO[sight]) @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", MACHADO)
def test_twenty_series_are_told_apart_by_any_eye(sight: str) -> None:
    """Either the colours differ by far more than what is just noticed (2.3), or marker and dashes do."""
    for one, other in combinations(looks(f"method {i:02}" for i in range(20)).values(), 2):
        distance = np.linalg.norm(lab(one["color"], sight) - lab(other["color"], sight))
        is_other_shape = one["marker"] != other["marker"] and one["linestyle"] != other["linestyle"]
        assert distance > 15 or is_other_shape


@pytest.mark.skipif(shutil.which("pdffonts") is None, reason="no pdffonts; apt-get install poppler-utils")
def test_fonts_are_truetype(tmp_path: Path) -> None:
    write_run(tmp_path, make_record("lora"))
    write_figure(FIGURES.make("curves", {"width": 1}), tmp_path, tmp_path / "curves.pdf")
    shown = subprocess.run(["pdffonts", tmp_path / "curves.pdf"], capture_output=True, text=True, check=True).stdout
    assert "TrueType" in shown
    assert "Type 3" not in shown


def test_curves_are_in_percent_and_losses_are_not(tmp_path: Path) -> None:
    write_run(tmp_path, make_record("lora", accuracy=0.9))
    results = write_text(tmp_path, "curves")
    assert "accuracy on validation (percent)" in results
    assert "train loss" in write_text(tmp_path, "curves", y="train_loss")


def write_text(results: Path, name: str, **settings: object) -> str:
    """The texts of a figure, which SVG has as comments."""
    write_figure(FIGURES.make(name, settings), results, results / "figure.svg")
    return "\n".join(re.findall(r"<!-- (.*?) -->", (results / "figure.svg").read_text()))


def test_costs_have_the_units_of_tables(tmp_path: Path) -> None:
    for method, trainable in (("lora", 300_000), ("full", 22_000_000)):
        write_run(tmp_path, make_record(method, trainable=trainable))
    texts = write_text(tmp_path, "pareto", cost="stored_bytes")
    assert re.search(r"^\d+MB$", texts, re.MULTILINE)
    assert "accuracy on test (percent)" in texts


def test_the_page_has_the_same_colours() -> None:
    script = resources.files("harness.tables") / "page" / "figures.js"
    assert json.dumps(COLORS) in script.read_text()


def test_names_are_shown_as_asked(tmp_path: Path) -> None:
    for method in ("lora", "full"):
        for task in ("sst2", "rte"):
            write_run(tmp_path, make_record(method, task=task))
    texts = write_text(tmp_path, "pareto", rename=["lora=LoRA", "sst2=SST-2"]).splitlines()
    assert {"LoRA", "full", "SST-2", "rte"} <= set(texts)
    assert not {"lora", "sst2"} & set(texts)
