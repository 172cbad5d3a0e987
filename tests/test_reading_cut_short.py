"""A bare line break in an unquoted last cell: the row above it is damaged like the piece below, unless that is a footer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import.model import Record
from bulk_import.reading import Reading, read_records
from bulk_import.reading.delimited import DelimitedRows
from bulk_import.reading.lines import whole_lines

HEADER = "id,email,note"
ROWS = [f"{number},u{number}@example.com,note {number}" for number in range(1, 5)]


def kept(folder: Path, text: str) -> Path:
    path = folder / "customers.csv"
    path.write_bytes(text.encode())
    return path


def damaged(records: list[Record]) -> list[int]:
    return [record.line for record in records if record.problem is not None]


@pytest.mark.parametrize(
    ("end", "inside"), [("\n", "\n"), ("\n", "\r"), ("\r\n", "\r"), ("\r\n", "\n"), ("\r", "\n"), ("\n", "\n\n")]
)
def test_a_row_whose_last_cell_is_broken_is_reported_with_its_piece(tmp_path: Path, end: str, inside: str) -> None:
    broken = f"9,x@example.com,first{inside}second"
    text = end.join([HEADER, *ROWS[:2], broken, *ROWS[2:]]) + end
    records = list(read_records(kept(tmp_path, text)))
    if inside == "\n\n":  # a line of its own between two blank ones may be anything
        assert damaged(records) == [6]
        return
    assert damaged(records) == [4, 5]
    assert "line 5" in (records[2].problem or "")
    assert "line 4" in (records[3].problem or "")
    assert [record.number for record in records] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("end", "inside"), [("\n", "\r"), ("\r\n", "\r"), ("\r\n", "\n"), ("\r", "\n")])
def test_a_foreign_line_end_decides_on_the_last_row_too(tmp_path: Path, end: str, inside: str) -> None:
    text = end.join([HEADER, *ROWS, f"9,x@example.com,first{inside}second"]) + end
    assert damaged(list(read_records(kept(tmp_path, text)))) == [6, 7]


def test_a_cell_broken_into_many_lines_damages_one_row(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:2], "9,x@example.com,one", "two", "three", "four", *ROWS[2:]]) + "\n"
    records = list(read_records(kept(tmp_path, text)))
    assert damaged(records) == [4, 5, 6, 7]
    assert "lines 5 to 7" in (records[2].problem or "")


@pytest.mark.parametrize(
    "footer", ["Total: 4", "Exported by Acme on Monday", "(4 rows)", "-- end --", "Total: 4\nPage 1"]
)
@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_footer_damages_no_row_above_it(tmp_path: Path, footer: str, blank: str) -> None:
    text = "\n".join([HEADER, *ROWS]) + "\n" + blank + footer + "\n"
    records = list(read_records(kept(tmp_path, text)))
    assert [record.problem for record in records[:4]] == [None] * 4
    assert len(damaged(records)) == len(footer.splitlines())


def test_the_last_line_of_a_file_says_that_it_may_be_the_rest_of_the_row_above(tmp_path: Path) -> None:
    records = list(read_records(kept(tmp_path, "\n".join([HEADER, *ROWS, "second half"]))))
    assert damaged(records) == [6]
    assert "line 5" in (records[4].problem or "")


@pytest.mark.parametrize(
    "junk", ["=======", "<<<<<<< HEAD", "# a comment", "Subtotal: 2", "Page 2", "---", "x@example.com"]
)
def test_a_note_between_rows_damages_no_row_above_it(tmp_path: Path, junk: str) -> None:
    text = "\n".join([HEADER, *ROWS[:2], junk, *ROWS[2:]]) + "\n"
    assert damaged(list(read_records(kept(tmp_path, text)))) == [4]


def test_a_title_above_a_repeated_header_damages_no_row_above_it(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:2], "Customers of Rome", HEADER, *ROWS[2:]]) + "\n"
    assert damaged(list(read_records(kept(tmp_path, text)))) == [4, 5]


def test_a_cell_that_closed_its_quote_is_not_cut_short(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:2], '9,x@example.com,"a, b"', "second", *ROWS[2:]]) + "\n"
    assert damaged(list(read_records(kept(tmp_path, text)))) == [5]


def test_a_break_in_a_cell_before_the_last_damages_no_row_above_it(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:2], "9", "0,x@example.com,x", "5,y@exam", "ple.com,y", *ROWS[2:]]) + "\n"
    assert 3 not in damaged(list(read_records(kept(tmp_path, text))))


def test_a_row_whose_first_cell_is_broken_is_reported_with_its_piece(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS[:2], "10", "25,x@example.com,x", *ROWS[2:]]) + "\n"
    records = list(read_records(kept(tmp_path, text)))
    assert damaged(records) == [4, 5]
    assert "line 4" in (records[3].problem or "")
    assert [record.number for record in records] == [1, 2, 3, 4, 5, 6]


def test_files_put_together_with_other_line_ends_are_not_broken_rows(tmp_path: Path) -> None:
    first = "\r\n".join([HEADER, *ROWS]) + "\r\n"
    second = "\n".join(f"{number},v{number}@example.com,x" for number in range(3)) + "\nshort\n"
    assert damaged(list(read_records(kept(tmp_path, first + second)))) == [9]


@pytest.mark.parametrize("size", [1, 7, 40, 64, 1000])
def test_where_a_chunk_ends_changes_nothing(size: int) -> None:
    text = "\n".join([HEADER, *ROWS, "two", *ROWS, "two", "three", *ROWS, "Total 3"]) + "\n"
    reading = Reading("csv", columns=("id", "email", "note"), kinds=("number", "email", ""))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    records = list(DelimitedRows(whole_lines(pieces), reading, Path("x.csv")).records())
    assert damaged(records) == [5, 6, 10, 11, 12, 17]
