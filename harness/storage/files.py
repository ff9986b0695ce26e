"""Files that survive a crash."""

import json
import os
from pathlib import Path


def write_json(path: Path, data: object) -> None:
    """Write JSON so that the file is either whole and on the disk, or as it was.

    Raises:
        OSError: it can't be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, ensure_ascii=False)
            file.write("\n")
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
