"""Every registered method keeps to the contract that ships."""

import subprocess
import sys
from typing import Any

import pytest

from harness.method import METHODS
from harness.testing import contracts
from harness.testing.method import KINDS, QUANTIZATIONS, MethodContract, TinyCell

SMALLER: dict[str, dict[str, Any]] = {
    "fourierft": {"n_frequencies": 100},
    "hira": {"rank": 8},
    "miss": {"rank": 8},
    "pvera": {"rank": 16},
    "shira": {"rank": 4},
    "vera": {"rank": 16},
    "waveft": {"n_frequencies": 100},
}
"""Settings of methods whose published defaults are too large for tiny bases and few steps."""


class Shipped(MethodContract):
    """What is imported with a method is asked below, of all at once."""

    test_importing_it_imports_no_torch = None  # type: ignore[assignment]


def test_importing_methods_imports_no_torch() -> None:
    code = (
        "import sys; from harness.method import METHODS; [METHODS.make(name).space() for name in METHODS.names()]; "
        "print(*{'torch', 'transformers', 'peft'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


globals().update(contracts(Shipped, METHODS.names()))
for name, settings in SMALLER.items():
    globals()[f"Test_{name}"].settings = settings


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
