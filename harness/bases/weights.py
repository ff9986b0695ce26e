"""Which weights a name stands for: folders and hub revisions change, results must not be taken for those of others."""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from harness.bases.info import SNAPSHOT_FILES, config_folder, is_local, registered
from harness.bases.package import PACKAGE_BASES
from harness.core.errors import SourceError
from harness.fetching.assets import cache_folder
from harness.storage.record import Weights


def weights_of(name: str) -> Weights:
    """Where a base comes from, with the hash of all that is read of it.

    A package asset has its pinned hash and a hub snapshot its commit; the files of a local folder are hashed, each once
    as long as it is not touched.

    Raises:
        SourceError: the base can't be found or read.
    """
    name = registered(name)
    if name in PACKAGE_BASES:
        asset = PACKAGE_BASES[name]
        return Weights(source=f"asset {asset.distribution} {asset.version}", fingerprint=asset.sha256[:12])
    folder = config_folder(name)
    if is_local(name):
        return Weights(source=f"path {folder}", fingerprint=_of_folder(folder)[:12])
    return Weights(source=f"hub {name}", fingerprint=folder.name[:12])  # …/snapshots/<commit>


def check_unchanged(name: str, before: Weights) -> None:
    """Refuse weights that were replaced while they were read: which ones a model has can't be told.

    Raises:
        SourceError: naming both, or that they can no longer be read.
    """
    now = weights_of(name)
    if now != before:
        told = f"{before.fingerprint}, now {now.fingerprint}"
        raise SourceError(f"base {name!r} changed while it was being used (its weights were {told}); run it again")


def _of_folder(folder: Path) -> str:
    files = sorted({file for pattern in SNAPSHOT_FILES for file in folder.glob(pattern) if file.is_file()})
    total = hashlib.sha256()
    try:
        for file in files:
            stat = file.stat()
            touched = (str(file.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            total.update(f"{file.name}\0{_of_file(*touched)}\0".encode())
    except OSError as error:
        raise SourceError(f"base {str(folder)!r}: can't read it: {error}") from None
    return total.hexdigest()


@cache
def _of_file(path: str, *state: int) -> str:
    """SHA-256 of a file in this state, kept in the cache folder for other processes."""
    key = hashlib.sha256(repr((path, state)).encode()).hexdigest()
    kept = cache_folder() / "hashes" / key
    try:
        known = kept.read_text()
    except OSError:
        known = ""
    if len(known) == 64:
        return known
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _keep(kept, found)
    return found


def _keep(path: Path, text: str) -> None:
    """Write a small file in one go; without a cache folder that can be written it is computed again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError:
        pass
