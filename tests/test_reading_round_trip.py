"""Whatever is written in any dialect is read back cell by cell."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bulk_import.errors import LedgerRefuses, SourceError
from bulk_import.model import Record
from bulk_import.reading import Reading, Source, read, read_records
from bulk_import.reading.delimited import DelimitedRows
from bulk_import.reading.kinds import holds_nothing
from bulk_import.reading.lines import whole_lines
from bulk_import.reading.table import is_ruled, looks_like_units

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from(list("\"',;|\t \\\n\r")), max_size=12)
LINE_ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}
COLUMNS: list[str | int | None] = ["name", "note", "email"]
DELIMITERS = [",", ";", "\t", "|", "^", "::", ", ", "||"]


def written(rows: list[list[str]], delimiter: str, end: str) -> str:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    return "".join(delimiter.join(row) + end for row in quoted)


def in_pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(
    width=st.integers(1, 4),
    data=st.data(),
    delimiter=st.sampled_from(DELIMITERS),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    piece=st.integers(1, 50),
)
@settings(max_examples=250, deadline=None)
def test_any_text_in_any_dialect_comes_back(
    width: int, data: st.DataObject, delimiter: str, end: str, piece: int
) -> None:
    rows = data.draw(st.lists(st.lists(TEXT, min_size=width, max_size=width), max_size=6))
    kept = [row for row in rows if not holds_nothing(row)]
    columns = [f"c{number}" for number in range(width)]
    reading = Reading("csv", delimiter=delimiter, columns=tuple(columns), line_ending=LINE_ENDS[end])
    text = written([columns, *rows], delimiter, end)
    records = list(DelimitedRows(whole_lines(in_pieces(text, piece)), reading, Path("x.csv")).records())
    sound = [record for record in records if record.problem is None]
    assert [list(record.fields.values()) for record in sound] == [
        row
        for at, row in enumerate(kept)
        if row != columns and not is_ruled(row) and not (at == 0 and looks_like_units(row))
    ]
    lines, line = [], 2
    for row in rows:
        lines += [line] if row in kept else []
        line += 1 + physical_ends("".join(written([row], delimiter, "")))
    assert [record.line for record in records] == lines


def physical_ends(text: str) -> int:
    return len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1


@given(
    rows=st.lists(
        st.lists(st.text("abcXYZ 09é漢'\"\\,;|\t-_.@/:#=+()\n", max_size=12), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
@settings(max_examples=100, deadline=None)
def test_a_file_of_customers_comes_back_without_hints(rows: list[list[str]], delimiter: str, quoting: int) -> None:
    rows = [[f"u{number}@example.com", *row] for number, row in enumerate(rows)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]  # the constants are plain integers
    writer.writerow(["email", "name", "city", "note"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "customers.csv")
        path.write_bytes(out.getvalue().encode())
        records = list(read_records(path))
    assert [(record.problem, list(record.fields.values())) for record in records] == [(None, row) for row in rows]


CSV_LIKE = [
    "u@example.com,Ann,Rome",
    '"u@example.com","Ann"',
    "a,b,c\n1,2,3",
    "Acme\nGmbH",
    '"',
    '""',
    '",',
    ',"',
    "\n",
    "x,y;z",
]


@given(
    data=st.data(),
    width=st.integers(2, 5),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_writer_wrote_reads_as_the_strict_reader_of_the_standard_library_reads_it(
    data: st.DataObject, width: int, delimiter: str, quote: str, quoting: int, end: str
) -> None:
    cell = st.lists(st.sampled_from(CSV_LIKE) | st.text("ab@.1 ,;|\t\"'\\\n", max_size=6), max_size=4).map("".join)
    rows = data.draw(st.lists(st.lists(cell, min_size=width - 1, max_size=width - 1), min_size=1, max_size=6))
    email = data.draw(st.integers(0, width - 1))
    rows = [[*row[:email], f"u{number}@example.com", *row[email:]] for number, row in enumerate(rows)]
    # A cell with a line that has an address where a row has it may be refused, and has tests of its own.
    below = (line.split(delimiter) for row in rows for text in row for line in text.split("\n")[1:])
    assume(not any("@" in part for parts in below for part in parts[email : email + 1]))
    columns = [f"c{number}" for number in range(width)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]  # the constants are plain integers
    writer.writerows([columns, *rows])
    strictly = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "customers.csv")
        path.write_bytes(out.getvalue().encode())
        records = list(read_records(path, delimiter=delimiter, quote=quote))
    assert [(record.problem, list(record.fields.values())) for record in records] == [(None, row) for row in strictly][
        1:
    ]


def test_an_escaped_quote_before_an_escaped_line_end_is_no_stray_one() -> None:
    text = 'name,email,note\r\n,u0@example.com,\\"\\"\\"\\\r\r\n'
    reading = Reading("csv", columns=("name", "email", "note"), delimiter=",", escape="backslash", line_ending="CRLF")
    records = list(DelimitedRows(whole_lines([text]), reading, Path("x.csv")).records())
    assert [(record.problem, list(record.fields.values())) for record in records] == [
        (None, ["", "u0@example.com", '"""\r'])
    ]


@given(data=st.data(), delimiter=st.sampled_from([",", ";", "\t", "|"]), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=100, deadline=None)
def test_what_a_writer_escaped_instead_of_quoting_comes_back(data: st.DataObject, delimiter: str, end: str) -> None:
    cell = st.text("ab@.1 ,;|\t\"'\\" + end, max_size=8)  # other line ends are not escaped by every Python
    rows = data.draw(st.lists(st.lists(cell, min_size=2, max_size=2), min_size=1, max_size=6))
    rows = [[row[0], f"u{number}@example.com", row[1]] for number, row in enumerate(rows)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator=end)
    writer.writerows([["name", "email", "note"], *rows])
    reading = Reading("csv", columns=("name", "email", "note"), delimiter=delimiter, escape="backslash")
    texts = whole_lines([out.getvalue()])
    records = list(DelimitedRows(texts, replace(reading, line_ending=LINE_ENDS[end]), Path("x.csv")).records())
    assert [(record.problem, list(record.fields.values())) for record in records] == [(None, row) for row in rows]


def by_strings(cell: str | int | None, *, numbers_too: bool) -> str:
    """A cell as `csv.QUOTE_NOTNULL` (with *numbers_too*) and `csv.QUOTE_STRINGS` of later Pythons write it."""
    if cell is None or (isinstance(cell, int) and not numbers_too):
        return "" if cell is None else str(cell)
    return '"' + str(cell).replace('"', '""') + '"'


@given(
    rows=st.lists(
        st.lists(st.text("ab ,;\"'\n", max_size=8) | st.integers(0, 99) | st.none(), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    ),
    numbers_too=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_quoted_by_its_type_comes_back_as_text(rows: list[list[str | int | None]], numbers_too: bool) -> None:
    people = [[*row, f"u{number}@example.com"] for number, row in enumerate(rows)]
    lines = [",".join(by_strings(cell, numbers_too=numbers_too) for cell in row) for row in [COLUMNS, *people]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "customers.csv")
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        records = list(read_records(path))
    expected = [["" if cell is None else str(cell) for cell in row] for row in people]
    assert [(record.problem, list(record.fields.values())) for record in records] == [(None, row) for row in expected]


@given(data=st.binary(max_size=300))
@example(data=b"\x00 \x00")
@example(data=b"\x00\x00")
@example(data=b"``")
@settings(max_examples=300, deadline=None)
def test_no_bytes_whatever_end_in_a_traceback(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "customers.csv")
        path.write_bytes(data)
        try:
            records = list(read_records(path))
        except SourceError as refused:
            assert str(refused).endswith(".")  # noqa: PT017 - either outcome is right, a traceback is not
        else:
            assert [record.number for record in records] == list(range(1, len(records) + 1))


@given(text=st.text(st.sampled_from(list("ab@.x1,;\t|\"'\\ \n\r\0{}[]:é")), max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_line_of_a_nasty_text_is_lost(text: str) -> None:
    """Every line that holds more than delimiters is in a record's reach: the first of one, or inside the one above."""
    reading = Reading("csv", columns=("a", "b"), header=False)
    records = list(DelimitedRows(whole_lines([text] if text else []), reading, Path("x.csv")).records())
    lines = [record.line for record in records]
    assert lines == sorted(set(lines))
    filled = [number for number, line in enumerate(physical(text), 1) if line.strip(' \t,"')]
    for number in filled:
        assert number in lines or spans(records, number)


def physical(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def spans(records: list[Record], number: int) -> bool:
    """Whether the record above a line is one that runs over lines."""
    above = [record for record in records if record.line < number]
    return bool(above) and (
        "lines" in (above[-1].problem or "") or any("\n" in cell or "\r" in cell for cell in above[-1].fields.values())
    )


def test_a_second_reading_by_a_stored_reading_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text('Title\n\nemail;name\na@example.com;Ann\nb@example.com;"Bob\nc@example.com;Cy\n')
    first = read_records(path)
    again = Reading.from_json(first.reading.to_json())
    assert again == first.reading
    with Source.open(path) as source:
        assert list(read(source, again)) == list(first)


def test_a_reading_stored_by_other_rules_is_refused_and_never_numbers_rows_anew(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,name\na@example.com,Ann\n")
    stored = json.loads(read_records(path).reading.to_json())
    del stored["rules"]  # as the first version stored it
    with Source.open(path) as source, pytest.raises(LedgerRefuses, match="other rules"):
        list(read(source, Reading.from_json(json.dumps(stored))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1252"])
def test_any_chunk_border_gives_the_same_records(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "email,name\r\n" + "".join(f'u{n}@example.com,"Añn\r\n{n}, é"\r\n' for n in range(20))
    path = tmp_path / "customers.csv"
    path.write_bytes(text.encode(encoding))
    reading = read_records(path, encoding=encoding).reading
    with Source.open(path) as source:
        expected = list(read(source, reading))
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr("bulk_import.reading.source.CHUNK", size)
        with Source.open(path) as source:
            assert list(read(source, reading)) == expected
    assert len(expected) == 20
    assert os.path.getsize(path) > 64
