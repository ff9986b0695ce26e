"""A user's own file, read exactly: each row with its line, or an error that names the line that can't be read."""

import codecs
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import SourceError, SpecError

Cells = dict[str, Any]

OTHER_FORMATS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a zip archive or spreadsheet",
    b"PAR1": "parquet",
}
"""How files begin that are no UTF-8 text."""


@dataclass(frozen=True)
class RawTable:
    """The rows of a file: ``places[i]`` says where ``rows[i]`` stands; ``columns`` are those of the first row."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Cells]
    places: list[str]

    def error(self, index: int, problem: object) -> SourceError:
        """The error for what is wrong in a row."""
        return SourceError(f"{self.path}, {self.places[index]}: {problem}")


def read(path: Path, wanted: Sequence[str] | None) -> RawTable:
    """The rows of a CSV, TSV, JSON lines or parquet file, with the wanted columns only (None: with all).

    The cells of CSV and TSV are texts: "NA" is a word and 007 a label. Their cells may be quoted as RFC 4180 has it.

    Raises:
        SpecError: another kind of file.
        SourceError: a file that is absent, empty, or not what its name says; with the line where there is one.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SpecError(f"a task's file must end in {', '.join(READERS)}; got {str(path)!r}")
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} can't be read: it is no file")
        table = reader(path, wanted)
    except (OSError, ValueError) as error:  # a name with a NUL character is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path} can't be read: {reason}") from None
    if not table.rows:
        raise SourceError(f"{path} has no rows")
    return table


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without the byte-order mark that spreadsheets put at the beginning.

    Raises:
        SourceError: another encoding or format, named as far as it can be told.
    """
    data = path.read_bytes()
    for beginning, what in OTHER_FORMATS.items():
        if data.startswith(beginning):
            raise SourceError(f"{path} is {what}, which can't be read here: save it as UTF-8 text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start : error.start + 1]
        guess = f", {byte.decode('cp1252', 'replace')!r} in Latin-1"
        raise SourceError(
            f"{path}, line {line}: byte 0x{byte.hex()} is not UTF-8{guess}: save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError(f"{path}, line {line}: a NUL character, as in UTF-16: save the file as UTF-8 text")
    return text


def _json_lines(path: Path, wanted: Sequence[str] | None) -> RawTable:
    rows, places = [], []
    columns: tuple[str, ...] = ()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _json_object(line)
        except json.JSONDecodeError as error:
            raise SourceError(f"{path}, line {number}, column {error.colno}: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path}, line {number}: {error}") from None
        columns = columns or tuple(row)
        rows.append(row if wanted is None else {column: row[column] for column in wanted if column in row})
        places.append(f"line {number}")
    return RawTable(path, columns, rows, places)


def _json_object(line: str) -> Cells:
    row = json.loads(line, object_pairs_hook=_distinct)
    if not isinstance(row, dict):
        raise ValueError(f"no object with named columns: {line.strip()[:60]}")
    if "\\ud" in line.lower():
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair, which is no character") from None
    return row


def _distinct(pairs: list[tuple[str, Any]]) -> Cells:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"{_repeated([name for name, _ in pairs])!r} stands twice in one object")
    return made


def _repeated(names: Sequence[str]) -> str | None:
    return next((name for place, name in enumerate(names) if name in names[:place]), None)


def _separated(delimiter: str) -> "Reader":
    def read_separated(path: Path, wanted: Sequence[str] | None) -> RawTable:
        lines = list(io.StringIO(read_text(path), newline=""))
        records = list(_records(path, lines, delimiter))
        if not records:
            raise SourceError(f"{path} is empty")
        (_, _, header), *body = records
        if (name := _repeated(header)) is not None:
            raise SourceError(f"{path}: two columns are named {name!r}; give each a name of its own")
        for start, _, cells in body:
            if len(cells) != len(header):
                raise SourceError(f"{path}, line {start + 1} has {len(cells)} of {len(header)} cells")
        _check_quotes(path, lines, records, delimiter)
        used = [(column, header.index(column)) for column in (header if wanted is None else wanted) if column in header]
        rows = [{column: cells[place] for column, place in used} for _, _, cells in body]
        return RawTable(path, tuple(header), rows, [f"line {start + 1}" for start, _, _ in body])

    return read_separated


def _records(path: Path, lines: list[str], delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """First line (from 0), line after the last, and cells of each record; empty lines are none."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 0
    try:
        for cells in reader:
            if cells:
                yield start, reader.line_num, cells
            start = reader.line_num
    except csv.Error as error:
        raise SourceError(f"{path}, line {start + 1}: {error}: {QUOTING}") from None


QUOTING = (
    "a cell that begins with a quotation mark ends at the next one; in such a cell write it twice, or use JSON lines"
)


def _check_quotes(path: Path, lines: list[str], records: list[tuple[int, int, list[str]]], delimiter: str) -> None:
    """Raise a SourceError where two stray quotation marks made one cell of what look like several rows.

    The lines of a cell with line breaks seldom have the right number of delimiters each; where they do, the columns'
    values tell, or that no other cell has line breaks.
    """
    long = [(start, end) for start, end, _ in records if end - start > 1]
    doubtful = [
        (start, [line.rstrip("\r\n").split(delimiter) for line in lines[start:end]])
        for start, end in long
        if "".join(lines[start:end]).count('"') == 2
    ]
    width = len(records[0][2])
    doubtful = [(start, rows) for start, rows in doubtful if all(len(row) == width for row in rows)]
    if not doubtful:
        return
    known = [{cells[column] for start, end, cells in records[1:] if end - start == 1} for column in range(width)]
    for start, rows in doubtful:
        alike = any(
            all('"' not in row[column] and row[column] in known[column] for row in rows) for column in range(width)
        )
        if alike or len(doubtful) == len(long):
            raise SourceError(
                f"{path}, line {start + 1}: a cell that begins with a quotation mark goes on to line "
                f"{start + len(rows)}, though each line would be a row: {QUOTING}"
            )


def _parquet(path: Path, wanted: Sequence[str] | None) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        whole = pq.ParquetFile(path).read()
        names = tuple(whole.column_names)
        if (name := _repeated(names)) is not None:
            raise ValueError(f"two columns are named {name!r}")
        kept = names if wanted is None else [column for column in wanted if column in names]
        rows: list[Cells] = whole.select(kept).to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise SourceError(f"{path} can't be read as parquet: {error}") from None
    rows = rows or [{} for _ in range(whole.num_rows)]
    return RawTable(path, names, rows, [f"row {number}" for number in range(1, len(rows) + 1)])


Reader = Callable[[Path, Sequence[str] | None], RawTable]

READERS: dict[str, Reader] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
"""File ending → reader."""
