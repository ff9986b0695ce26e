"""The choices of a question in a user's own file, and which is right: an index, a letter or a choice's text."""

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

from harness.data.examples import is_missing, number_of, text_of
from harness.data.tables import Cells

ARC = {"text", "label"}
"""Keys of choices with labels as the AI2 Reasoning Challenge has them: two lists of one length."""


def choices_of(columns: Sequence[str], cells: Cells) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts and letters of a row's choices, from a column each, or from one column with a list or ARC's form.

    Raises:
        ValueError: another form.
    """
    found: Any = cells[columns[0]] if len(columns) == 1 else [cells[column] for column in columns]
    letters: Any = ascii_uppercase
    if isinstance(found, dict) and found.keys() == ARC:
        found, letters = found["text"], found["label"]
        if not isinstance(found, list) or not isinstance(letters, list) or len(found) != len(letters):
            raise ValueError(f"'text' and 'label' in {columns[0]!r} are not two lists of one length")
    if not isinstance(found, list):
        raise ValueError(
            f"{columns[0]!r} has {found!r:.60}, which is no list of choices: write a list (JSON lines or parquet), "
            "{'text': [...], 'label': [...]}, or one column for each choice"
        )
    return tuple(map(text_of, found)), tuple(text_of(letter) for letter in letters[: len(found)])


def right_choice(value: Any, texts: Sequence[str], letters: Sequence[str]) -> int:
    """Index of the choice that a target means.

    Raises:
        ValueError: it means none, or more than one.
    """
    name = text_of(value)
    meant = {place for place, text in enumerate(texts) if text == name}
    meant |= {place for place, letter in enumerate(letters) if letter.casefold() == name.casefold()}
    index = None if _are_numbers(letters) else index_of(value)
    if index is not None and index < len(texts):
        meant.add(index)
    if not meant:
        raise ValueError(
            f"target {name!r} is neither one of the choices ({', '.join(texts)}) nor its letter "
            f"({', '.join(letters)}) nor its index, which counts from 0"
        )
    if len(meant) > 1:
        several = " or ".join(f"choice {place} ({texts[place]!r})" for place in sorted(meant))
        raise ValueError(
            f"target {name!r} may mean {several}, as an index from 0, a letter or a text: "
            "give letters (A, B, …) that are no choice's text"
        )
    return meant.pop()


def index_of(value: Any) -> int | None:
    """The integer from 0 that a cell means, or None; 1.0, as a column with gaps is often written, is 1."""
    try:
        number = number_of(value)
    except ValueError:
        return None
    return int(number) if number >= 0 and number == int(number) else None


def count_from_one(rows: Sequence[Cells], columns: Sequence[str], target: str) -> bool:
    """Whether all targets are indices, none of them 0."""
    found = set()
    for cells in rows:
        if is_missing(cells[target]):
            continue
        texts, letters = choices_of(columns, cells)
        index = index_of(cells[target])
        if index is None or text_of(cells[target]) in texts or _are_numbers(letters):
            return False
        found.add(index)
    return bool(found) and 0 not in found


def _are_numbers(letters: Sequence[str]) -> bool:
    return any(index_of(letter) is not None for letter in letters)
