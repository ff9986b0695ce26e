"""Every registered method keeps to the contract that ships."""

import pytest

from harness.method import METHODS
from harness.testing import contracts
from harness.testing.method import KINDS, QUANTIZATIONS, MethodContract, TinyCell

globals().update(contracts(MethodContract, METHODS.names()))


@pytest.mark.usefixtures("examples")
class TestExample(MethodContract):
    plugin = "example_method"

    # Another process sees an entry point only where the package is installed.
    test_importing_it_imports_no_torch = None  # type: ignore[assignment]


def test_which_cells_are_skipped() -> None:
    """Nothing but what cannot work is left out of a comparison."""
    cells = {
        (name, kind, quantization): TinyCell(METHODS.make(name), kind, quantization)
        for name in METHODS.names()
        for kind in KINDS
        for quantization in QUANTIZATIONS
    }
    full = {
        (name, kind, quantization)
        for name in ("apollo", "full", "galore", "pafi")
        for kind in KINDS
        for quantization in ("8bit", "4bit")
    }
    mask = {("zero_shot", "encoder", quantization) for quantization in QUANTIZATIONS}
    no_bias_no_head = {
        (name, kind, quantization)
        for name in ("bitfit", "linear_probe")
        for kind in ("decoder", "encoder_decoder")
        for quantization in QUANTIZATIONS
    }
    assert {key for key, cell in cells.items() if cell.skipped} == full | mask | no_bias_no_head
