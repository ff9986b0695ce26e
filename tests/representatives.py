"""One method of each family, for tests that a whole run for every method would make too long, and smaller settings."""

from typing import Any

from harness.method import METHODS, Method

REPRESENTATIVES = ("adapters", "fourierft", "full", "ia3", "ladder", "last_layers", "lora", "oft", "prefix")
SMALLER: dict[str, dict[str, Any]] = {
    "adamss": {"rank": 16, "n_subspaces": 2},
    "fourierft": {"n_frequencies": 100, "scaling": 10},
    "gralora": {"rank": 8},
    "hira": {"rank": 8},
    "miss": {"rank": 8},
    "peanut": {"rank": 8},
    "psoft": {"rank": 8},
    "pvera": {"rank": 16},
    "shira": {"rank": 4},
    "vblora": {"n_vectors": 8},
    "vera": {"rank": 16},
    "waveft": {"n_frequencies": 100},
}
"""Settings of methods whose published defaults are too large for the tiny bases."""


def small(name: str) -> Method:
    """The method, as large as the tiny bases allow."""
    return METHODS.make(name, SMALLER.get(name))
