"""Fixtures of the tests of bases."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.architectures import save_architecture

Saved = Callable[[str], Path]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """The snapshot of an architecture by its name, made when it is first asked for."""
    root = tmp_path_factory.mktemp("architectures")
    return cache(lambda name: save_architecture(name, root / name))
