"""A new method is one file: it is found, listed and held to the contracts without touching anything else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.methods
from harness.method import METHODS
from tests import readme, tiny
from tests.conftest import forget
from tests.contracts import test_methods as contracts


@pytest.fixture
def bitfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "bitfit.py").write_text(readme.example("methods/bitfit.py"))
    monkeypatch.setattr(harness.methods, "__path__", [*harness.methods.__path__, str(tmp_path)])
    forget(METHODS)
    yield "bitfit"
    forget(METHODS)


def test_one_file_is_enough(bitfit: str, tmp_path: Path) -> None:
    assert bitfit in METHODS.names()
    contracts.test_declares_itself(bitfit)
    contracts.test_defaults_lie_inside_the_search_space(bitfit)
    for quantization in contracts.QUANTIZATIONS:
        cell = contracts.Cell(bitfit, "encoder", quantization)
        assert not cell.skipped
        contracts.test_trains_something_exactly_if_it_says_so(cell)
        contracts.test_training_lowers_the_loss_and_leaves_frozen_weights_alone(cell, tmp_path / quantization)
    cell = contracts.Cell(bitfit, "encoder", "none")
    contracts.test_same_seed_gives_same_weights_and_every_one_is_reached(cell)
    contracts.test_every_method_starts_from_the_same_head(cell)
    trainable = [name for name, parameter in cell.applied().named_parameters() if parameter.requires_grad]
    assert len(trainable) > tiny.BLOCKS * 6
    assert all(name.startswith("classifier.") or name.endswith("bias") for name in trainable)
