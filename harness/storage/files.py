"""Files that survive a crash."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_json(path: Path, data: object) -> None:
    """Write JSON so that the file is either whole and on the disk, or as it was.

    Raises:
        OSError: it can't be written.
    """
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


SEAL = ',\n "sha256": "'
"""What comes before the checksum at the end of a sealed file."""


def sealed(data: Mapping[str, object]) -> str:
    """An object as JSON whose last key, ``sha256``, is the checksum of all bytes before it."""
    text = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n'


def breaks_seal(content: bytes) -> bool:
    """Whether a file's bytes are not those that were sealed; of a file without a seal nothing is known."""
    text, seal, end = content.rpartition(SEAL.encode())
    return bool(seal) and end[:64] != hashlib.sha256(text).hexdigest().encode()


def write_text(path: Path, text: str) -> None:
    """Write a text so that the file is either whole and on the disk, or as it was.

    Raises:
        OSError: it can't be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """``sync`` a folder and all that it holds."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))


def one_line(error: Exception, length: int = 200) -> str:
    """An error's text without line breaks, cut where it is long: pydantic's repeat the whole input."""
    text = " ".join(str(error).split())
    return text if len(text) <= length else f"{text[:length]}…"
