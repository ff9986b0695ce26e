"""A file is read exactly, or refused with the line."""

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from harness.core.errors import HarnessError, SourceError, SpecError
from harness.data.tables import read

ROWS = "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(20))


def rows(path: Path, content: str | bytes, columns: tuple[str, ...] = ("text", "label")) -> list[dict[str, Any]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, columns).rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("short.csv", "text,label\na,b\nc\n", "line 3 has 1 of 2 cells"),
        ("long.csv", "text,label\na,b\nc,d,e\n", "line 3 has 3 of 2 cells"),
        ("short.tsv", "text\tlabel\n\na\n", "line 3 has 1 of 2 cells"),
        ("after.csv", 'text,label\n"a\nb",c\nd\n', "line 4 has 1 of 2 cells"),
        ("twice.csv", "text,label,text\na,b,c\n", "two columns are named 'text'"),
        ("blanks.csv", "text,label,,\na,b,,\n", "two columns are named ''"),
        ("open.csv", f'text,label\n{ROWS}"great,a\n{ROWS}', "line 22: unexpected end of data"),
        (
            "open.tsv",
            'text\tlabel\n"great\ta\nfine\ta\n"bad\tb\n',
            "line 2: .*a cell that begins",
        ),
        ("word.csv", 'text,label\n"great" film,a\n', "line 2: .* expected after"),
        ("swallowed.csv", f'text,label\n{ROWS}"great,a\n{ROWS}5",b\n{ROWS}', "line 22: .* goes on to line 43, though"),
        ("swallowed.tsv", f'text\tlabel\n"great\ta\nx\tb\n5"\tb\n{ROWS.replace(",", chr(9))}', "line 2: .* to line 4"),
        ("hidden.csv", f'text,label\n"x\ny\nz",a\n"great,a\nx,b\n5",b\n{ROWS}', "line 5: .* goes on to line 7"),
        ("empty.csv", "", "is empty"),
        ("blank.csv", "\n\n", "is empty"),
        ("header.csv", "text,label\n", "has no rows"),
        ("none.jsonl", "\n \n", "has no rows"),
        ("latin.csv", "text,label\na,b\ncafé,b\n".encode("latin-1"), "line 3: byte 0xe9 is not UTF-8, 'é' in Latin-1"),
        ("wide.csv", "text,label\na,b\n".encode("utf-16"), "is UTF-16"),
        ("wider.csv", "text,label\na,b\n".encode("utf-32"), "is UTF-32"),
        ("bare.csv", "text,label\na,b\n".encode("utf-16-le"), "line 1: a NUL character, as in UTF-16"),
        ("packed.csv", gzip.compress(b"text,label\na,b\n", mtime=0), "is compressed by gzip"),
        ("sheet.csv", b"PK\x03\x04", "is a zip archive or spreadsheet"),
        ("other.jsonl", b"PAR1", "is parquet"),
        ("cut.jsonl", '{"text": "a"}\n{"text": "b', "line 2, column 10: Unterminated string"),
        ("array.jsonl", '[{"text": "a"}]', "line 1: no object with named columns"),
        ("string.jsonl", '{"text": "a"}\n"b"', "line 2: no object with named columns"),
        ("twins.jsonl", '{"text": "a", "label": 1, "text": "b"}', "line 1: 'text' stands twice"),
        ("inner.jsonl", '{"text": "a"}\n{"text": {"b": 1, "b": 2}}', "line 2: 'b' stands twice"),
        ("joined.jsonl", '{"text": "a"}{"text": "b"}', "line 1, column 14: Extra data"),
        ("half.jsonl", '{"text": "a \\ud83d b"}', "line 1: half of a surrogate pair"),
        ("deep.jsonl", '{"text": ' + "[" * 100_000, "line 1"),
        ("huge.jsonl", '{"text": ' + "1" * 5000 + "}", "line 1"),
        ("text.parquet", "text,label\n", "can't be read as parquet"),
        ("cut.parquet", "PAR1", "can't be read as parquet"),
    ],
)
def test_what_can_t_be_read_is_refused_with_its_line(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=rf"{name}.*{message}"):
        rows(tmp_path / name, content)


@pytest.mark.parametrize("name", ["reviews.csv.gz", "reviews.json", "reviews.xlsx", "reviews."])
def test_other_endings(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"must end in \.csv, \.tsv, \.jsonl, \.parquet"):
        rows(tmp_path / name, "")


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SourceError, match="it is no file"):
        read(tmp_path / "folder.csv", [])
    with pytest.raises(SourceError, match=r"none\.csv can't be read: No such file"):
        read(tmp_path / "none.csv", [])


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("crlf.csv", "text,label\r\na,b\r\n\r\nc,d\r\n", ["a", "c"]),
        ("mac.csv", "text,label\ra,b\rc,d", ["a", "c"]),
        ("mark.csv", "\ufefftext,label\na,b", ["a"]),
        ("mark.jsonl", '\ufeff{"text": "a"}\r\n', ["a"]),
        ("upper.CSV", "text,label\na,b", ["a"]),
        ("words.csv", "text,label\nNA,b\n007,b\nnan,b\n", ["NA", "007", "nan"]),
        ("inch.csv", 'text,label\n5" wide,b\na "b" c,b\n', ['5" wide', 'a "b" c']),
        ("lines.csv", 'text,label\n"a, b\nc",x\n"d, e\nf, g",y\nh,x\n', ["a, b\nc", "d, e\nf, g", "h"]),
        ("quoted.csv", '"text","label"\n"a, b\nc","x"\n"d","x"\n', ["a, b\nc", "d"]),
        ("escaped.jsonl", '{"text": "\\ud83d\\ude00\\u2028"}', ["😀\u2028"]),
        ("nan.jsonl", '{"text": null}', [None]),
    ],
)
def test_what_is_unusual_but_right(name: str, content: str, texts: list[Any], tmp_path: Path) -> None:
    assert [row["text"] for row in rows(tmp_path / name, content)] == texts


def test_parquet_of_odd_types(tmp_path: Path) -> None:
    """Columns that are not asked for do no harm, whatever they hold."""
    odd = {"when": pa.array([2**62, 0], pa.timestamp("ns")), "price": [Decimal("1.50"), None], "a.b": ["x", "y"]}
    nested = {"a": pa.array([{"b": 1}, {"b": 2}]), "cat": pa.array(["p", "q"]).dictionary_encode()}
    pq.write_table(pa.table({**odd, **nested}), tmp_path / "odd.parquet")
    table = read(tmp_path / "odd.parquet", ["a.b", "cat", "price"])
    assert table.rows[0] == {"a.b": "x", "cat": "p", "price": Decimal("1.50")}
    assert (table.columns, table.places) == (("when", "price", "a.b", "a", "cat"), ["row 1", "row 2"])
    twins = pa.table([pa.array(["x"]), pa.array(["y"])], names=["t", "t"])
    pq.write_table(twins, tmp_path / "twins.parquet")
    with pytest.raises(SourceError, match="two columns are named 't'"):
        read(tmp_path / "twins.parquet", ["t"])


CELL = st.text(
    st.sampled_from("ab \",;\t\n\r\\'{}é\ufeff\u2028\x00") | st.characters(exclude_categories=["Cs"]), max_size=6
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(CELL, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=6),
    )
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLES, st.sampled_from(["csv", "tsv", "jsonl"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@example((["text", "label"], [["a, b\nc", "x"], ["d", "x"]]), "csv", csv.QUOTE_MINIMAL)
def test_a_table_of_a_standard_writer_comes_back_or_is_refused(
    tmp_path: Path, table: tuple[list[str], list[list[str]]], suffix: str, quoting: Any
) -> None:
    header, body = table
    written = io.StringIO(newline="")
    if suffix == "jsonl":
        written.writelines(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in body)
    else:
        csv.writer(written, delimiter="," if suffix == "csv" else "\t", quoting=quoting).writerows([header, *body])
    assume(not written.getvalue().startswith("\ufeff"))  # there it is a mark and no text
    path = tmp_path / f"table.{suffix}"
    path.write_bytes(written.getvalue().encode())
    try:
        found = read(path, header)
    except HarnessError:
        assert any("\0" in cell or "\n" in cell or "\r" in cell for row in [header, *body] for cell in row)
    else:
        assert found.columns == tuple(header)
        assert [list(row.values()) for row in found.rows] == body
