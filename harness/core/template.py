"""Prompt templates: ``{column}`` is replaced by an example's text, ``{{`` and ``}}`` are braces.

A column may have any name: what stands between the braces is taken as it is, without the attributes, indices and
formats of ``str.format``. In a name that has braces itself, ``%7B`` and ``%7D`` stand for them and ``%25`` for ``%``.
"""

import re
from collections.abc import Mapping

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_ESCAPES = (("%", "%25"), ("{", "%7B"), ("}", "%7D"))


def place(column: str) -> str:
    """The place of a column in a template."""
    for character, escape in _ESCAPES:
        column = column.replace(character, escape)
    return f"{{{column}}}"


def columns(template: str) -> list[str]:
    """The columns that a template shows, in its order.

    Raises:
        ValueError: a brace that belongs to no place.
    """
    found = []
    for match in _PART.finditer(template):
        if match[1] is not None:
            found.append(_column(match[1]))
        elif match[0] in "{}":
            raise ValueError(f"a single {match[0]!r} at character {match.start() + 1}")
    return found


def fill(template: str, fields: Mapping[str, str]) -> str:
    """The template with the fields in their places; what they contain is not read as a template."""
    return _PART.sub(lambda match: match[0][0] if match[1] is None else fields[_column(match[1])], template)


def _column(written: str) -> str:
    for character, escape in reversed(_ESCAPES):
        written = written.replace(escape, character)
    return written
