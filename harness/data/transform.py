"""A user's own change of a file's rows, named ``module:function`` where the file is described.

The function is code and runs: that its module is installed, or on ``PYTHONPATH``, is the consent. It gets a row (cells
by column) and returns another, or None to leave it out. What it makes is what the fingerprint covers.
"""

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from harness.core.errors import SourceError, SpecError, nearest
from harness.data.tables import Cells, RawTable

Transform = Callable[[Cells], Cells | None]


def find_transform(name: str) -> Transform:
    """The function of a name.

    Raises:
        SpecError: another form of name, a module that can't be imported, or no function of its own.
    """
    module_name, separator, function_name = name.partition(":")
    if not (separator and module_name and function_name.isidentifier()):
        raise SpecError(f"task.transform is module:function, such as my_data:clean; got {name!r}")
    if module_name.partition(".")[0] in sys.stdlib_module_names:
        raise SpecError(f"task.transform must be a function of your own, not of the standard library; got {name!r}")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise SpecError(
            f"task.transform: {module_name} can't be imported: {type(error).__name__}: {error}; install it, or name "
            "its folder in PYTHONPATH"
        ) from None
    own = {key: value for key, value in vars(module).items() if _is_defined_in(module_name, value)}
    if function_name not in own:
        there = ", ".join(own) or "none"
        raise SpecError(
            f"task.transform: {module_name} defines no function {function_name!r}{nearest(function_name, own)}; "
            f"its functions: {there}"
        )
    found: Transform = own[function_name]
    return found


def _is_defined_in(module: str, value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and getattr(value, "__module__", None) == module


def transformed(table: RawTable, name: str, split: str, left_out: Counter[str]) -> RawTable:
    """The table with its rows changed; those left out are counted.

    Raises:
        SpecError: as ``find_transform``.
        SourceError: the function fails on a row or returns no row, with the line; or it leaves no row.
    """
    transform = find_transform(name)
    rows, places = [], []
    for number, given in enumerate(table.rows):
        try:
            row = transform(dict(given))
        except Exception as error:
            raise table.error(number, f"{name} raised {type(error).__name__}: {error}") from error
        if row is None:
            left_out[f"{split} rows by {name}"] += 1
            continue
        if not isinstance(row, dict) or not all(isinstance(column, str) for column in row):
            raise table.error(number, f"{name} must return a dict of cells by column, or None; got {row!r:.60}")
        rows.append(row)
        places.append(table.places[number])
    if not rows:
        raise SourceError(f"{table.path}: {name} leaves no row")
    return RawTable(table.path, tuple(rows[0]), rows, places)
