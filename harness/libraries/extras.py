"""Libraries that not every command needs."""

import importlib
from types import ModuleType

from harness.core.errors import SpecError


def need(module: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Raises:
        SpecError: it is not installed; says which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise SpecError(f"this needs {error.name}: pip install 'adaptation-harness[{extra}]'") from None
