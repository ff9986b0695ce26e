"""Every registered method keeps to the contract that ships."""

import subprocess
import sys
from collections.abc import Iterable
from itertools import product

import pytest

from harness.core.spec import Quantization
from harness.method import METHODS, BaseKind
from harness.testing import contracts
from harness.testing.method import KINDS, QUANTIZATIONS, MethodContract, TinyCell
from tests.representatives import REPRESENTATIVES, SMALLER

Cell = tuple[BaseKind, Quantization]


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


def test_every_family_is_represented() -> None:
    families = {METHODS.find(name).family for name in REPRESENTATIVES}
    assert {METHODS.find(name).family for name in METHODS.names() if METHODS.find(name).trains} == families


def cells(kinds: Iterable[BaseKind] = KINDS, quantizations: Iterable[Quantization] = QUANTIZATIONS) -> set[Cell]:
    return set(product(kinds, quantizations))


PACKED = cells(quantizations=("8bit", "4bit"))
NO_ENCODER = cells(("decoder", "encoder_decoder"))
SKIPPED: dict[str, set[Cell]] = {
    "adamss": PACKED,
    "adaption_prompt": cells(("encoder", "encoder_decoder")),
    "apollo": PACKED,
    "bitfit": NO_ENCODER,  # no biases
    "c3a": cells(quantizations=["8bit"]) | {("encoder", "4bit")},
    "deft": PACKED,
    "delora": PACKED,
    "frod": PACKED,
    "full": PACKED,
    "galore": PACKED,
    "glora": PACKED,
    "gralora": {("encoder", "8bit"), ("encoder", "4bit")},
    "hra": PACKED,
    "linear_probe": NO_ENCODER,  # no head
    "loha": cells(quantizations=["4bit"]),
    "lokr": cells(quantizations=["4bit"]),
    "osf": PACKED,
    "pafi": PACKED,
    "peanut": cells(quantizations=["4bit"]),
    "psoft": PACKED,
    "shira": PACKED,
    "tinylora": PACKED,
    "unilora": PACKED,
    "zero_shot": cells(["encoder"]),  # no mask head
}


def test_which_cells_are_skipped() -> None:
    """Nothing but what cannot work is left out of a comparison."""
    for name in METHODS.names():
        made = METHODS.make(name)
        skipped = {cell for cell in cells() if TinyCell(made, *cell).skipped}
        assert skipped == SKIPPED.get(name, set()), name
