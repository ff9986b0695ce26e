"""What the harness tells a user who has to change something; the command line turns it into exit code 2."""

from collections.abc import Iterable
from difflib import SequenceMatcher


class HarnessError(Exception):
    """Something went wrong that a sentence explains; no traceback is shown."""

    exit_code = 1


class SpecError(HarnessError):
    """The request is wrong: an unknown name, a field or value that is not allowed."""

    exit_code = 2


class Unsupported(SpecError):
    """This method and this base can't go together, which only the loaded base could tell: the cell is skipped."""


class NoResult(HarnessError):
    """What a run asked or was answered can't be right: its record says "failed" with this reason."""


class SourceError(HarnessError):
    """Data or weights cannot be had or read: out of reach, truncated, or not what was pinned."""

    exit_code = 2


class StorageError(HarnessError):
    """Results can't be written: the disk is full, or failed. What was being written leaves no record."""


class HarnessWarning(UserWarning):
    """What a user should know though nothing stops, such as a file that is left out; the command line prints it."""


def nearest(value: str, allowed: Iterable[str]) -> str:
    """The suffix ` (did you mean 'x'?)`, or an empty string when nothing is close."""
    best = max(allowed, key=lambda name: _likeness(value, name), default="")
    return f" (did you mean {best!r}?)" if best and _likeness(value, best) >= 0.5 else ""


def _likeness(a: str, b: str) -> float:
    """Mean of the ratios in order and regardless of order, so that int4 is nearer to 4bit than to 8bit.

    At least 0.5 where one of two longer names is part of the other.
    """
    a, b = a.lower(), b.lower()
    in_order = SequenceMatcher(None, a, b).ratio()
    regardless = SequenceMatcher(None, sorted(a), sorted(b)).ratio()
    is_part = min(len(a), len(b)) > 3 and (a in b or b in a)
    return max((in_order + regardless) / 2, 0.5 * is_part)


def unknown(what: str, value: str, allowed: Iterable[str]) -> SpecError:
    """The error for a name that is not in a closed set."""
    names = sorted(allowed)
    return SpecError(f"unknown {what} {value!r}{nearest(value, names)}; allowed: {', '.join(names)}")
