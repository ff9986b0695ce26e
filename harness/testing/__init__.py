"""Contract tests that ship: a package with plug-ins of its own inherits those of each kind; they need pytest.

from harness.testing.method import MethodContract

class TestMine(MethodContract):
    plugin = "mine"
"""

from collections.abc import Iterable
from typing import Any


def contracts(contract: type, names: Iterable[str]) -> dict[str, Any]:
    """A test class for each plug-in, by class name, to be added to a module's ``globals()``."""
    return {f"Test_{name}": type(f"Test_{name}", (contract,), {"plugin": name}) for name in names}
