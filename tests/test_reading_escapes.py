"""What databases write as text with escapes is read as what it stands for, and only where the table says that it is such."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import.reading import read_records
from bulk_import.reading.escapes import Escapes, escapes_of
from bulk_import.reading.table import ENDS_COPY

HEADER = "id\temail\tnote\n"
COPY = HEADER + "1\ta@example.com\t\\N\n2\tb@example.com\tx\\ty\\nz C:\\\\dir \\\\n\n"
BATCH = HEADER + '1\ta@example.com\tNULL\n2\tb@example.com\tC:\\\\dir 5" x "y"\n'


def table(folder: Path, text: str) -> Path:
    path = folder / "customers.tsv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "notes"),
    [(COPY, ["", "x\ty\nz C:\\dir \\n"]), (BATCH, ["NULL", 'C:\\dir 5" x "y"'])],
    ids=["COPY", "mysql --batch"],
)
@pytest.mark.parametrize("rows", [1, 3000])
def test_cells_are_read_as_what_they_stand_for_and_it_is_said(
    tmp_path: Path, text: str, notes: list[str], rows: int
) -> None:
    more = "".join(f"{number}\tu{number}@example.com\t\\\\{number}\n" for number in range(rows))
    found = read_records(table(tmp_path, text + more))
    records = list(found)
    assert [record.fields["note"] for record in records[:2]] == notes
    assert [record.fields["note"] for record in records[2:]] == [f"\\{number}" for number in range(rows)]
    assert [record.line for record in records] == list(range(2, rows + 4))
    assert [notice.code for notice in found.notices if "\\n is a line break" in notice.message] == ["escape"]


@pytest.mark.parametrize(
    ("rows", "escapes"),
    [
        ([r"a line\nanother"], Escapes.PERHAPS),
        ([r"C:\\dir"], Escapes.PERHAPS),
        (["no backslash", "NULL"], Escapes.NONE),
        ([r"C:\new\table", "\\N"], Escapes.NONE),
        ([r"C:\new\table", "NULL", r"\\"], Escapes.NONE),
        ([r"\server\share", "\\N"], Escapes.NONE),
        ([r"[\w.]+", r"\\", "NULL"], Escapes.NONE),
        (['"quoted, with a tab"', r"x\ny", "\\N"], Escapes.NONE),
        ([r"x\ny", "\\N"], Escapes.SURELY),
        (["\\N"], Escapes.SURELY),
        ([r"\\", "NULL"], Escapes.SURELY),
        ([r"x\ny", "NULL"], Escapes.PERHAPS),
        ([r"x\.y", "\\N"], Escapes.NONE),
    ],
)
def test_a_table_is_one_with_escapes_where_it_has_a_word_for_nothing_and_no_other_backslash(
    rows: list[str], escapes: Escapes
) -> None:
    assert escapes_of(["id\tnote\n", *(f"{number}\t{row}\n" for number, row in enumerate(rows))]) is escapes


@pytest.mark.parametrize("text", [COPY, HEADER + "1\ta@example.com\tone\\ntwo\n"])
def test_the_mark_of_the_end_tells_copy_and_is_no_customer(tmp_path: Path, text: str) -> None:
    *records, end = list(read_records(table(tmp_path, text + "\\.\n")))
    assert [record.problem for record in records] == [None] * len(records)
    assert "\n" in records[-1].fields["note"]
    assert end.problem == ENDS_COPY


def test_a_quoted_cell_at_a_lines_beginning_tells_a_table_with_quotes_whatever_ends_lines() -> None:
    for end in ("\n", "\r\n", "\r"):
        rows = ["note\tid", "\\N\t1", '"two\n lines"\t2']
        assert escapes_of([row + end for row in rows]) is Escapes.NONE


def test_escapes_that_may_be_text_stay_and_are_said(tmp_path: Path) -> None:
    found = read_records(table(tmp_path, HEADER + "1\ta@example.com\tone\\ntwo\n"))
    assert [record.fields["note"] for record in found] == ["one\\ntwo"]
    assert [notice.code for notice in found.notices if "sent as they stand" in notice.message] == ["escape"]


def test_a_quote_that_was_asked_for_is_obeyed(tmp_path: Path) -> None:
    found = read_records(table(tmp_path, COPY), quote='"')
    assert next(record.fields["note"] for record in found) == "\\N"
