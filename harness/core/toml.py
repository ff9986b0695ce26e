"""TOML that users write: files, and single values on the command line."""

import tomllib
from pathlib import Path
from typing import Any

from harness.core.errors import SpecError


def read_toml(path: Path) -> dict[str, Any]:
    """The table that a file holds.

    Raises:
        SpecError: the file can't be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"can't read {path}: {error.strerror}") from None
    except RecursionError:
        raise SpecError(f"{path} is nested too deeply") from None
    except ValueError as error:  # no TOML, no UTF-8, or no path
        raise SpecError(f"{path} is not valid TOML: {error}") from None


def read_value(text: str) -> Any:
    """What a text means: TOML's number, truth value, quoted text, list or table; ``none`` or ``null``; else itself.

    Raises:
        SpecError: brackets are nested by the hundred.
    """
    if text.strip().lower() in ("none", "null"):
        return None
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    except RecursionError:
        raise SpecError(f"{text[:20]}… is nested too deeply for a value") from None
    value = parsed.pop("value")
    return text if parsed or not isinstance(value, bool | int | float | str | list | dict) else value


def split_names(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
