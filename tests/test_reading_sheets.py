"""Workbooks: what the cell values alone would hide is said or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import.errors import SourceError
from bulk_import.mapping.options import MappingOptions
from bulk_import.options import Preparing
from bulk_import.reading import read_records
from bulk_import.survey import survey
from tests.workbooks import text, workbook

HEADER = f'<row r="2">{text("B2", "email")}{text("C2", "zip")}</row>'


def test_an_error_is_text_like_in_a_csv_and_a_formula_never_calculated_is_lost(tmp_path: Path) -> None:
    rows = (
        f'<row r="3">{text("B3", "a@example.com")}<c r="C3" t="e"><v>#N/A</v></c></row>'
        f'<row r="4">{text("B4", "b@example.com")}<c r="C4"><f>1+1</f><v></v></c></row>'
        f'<row r="5">{text("B5", "c@example.com")}<c r="C5" t="str"><f>""</f><v></v></c></row>'
        f'<row r="6">{text("B6", "d@example.com")}<c r="C6"><f>1+1</f><v>2</v></c></row>'
        f'<row r="7">{text("B7", "e@example.com")}<c r="C7"><v>12345678901234567</v></c></row>'
    )
    found = read_records(workbook(tmp_path / "people.xlsx", HEADER + rows))
    records = list(found)
    assert [
        notice.message for notice in found.notices if notice.code == "error-cells" and "#N/A in row 3" in notice.message
    ]
    assert [record.problem for record in records] == [None] * 5
    assert [dict(record.lost).get("zip", "")[:11] for record in records] == ["", "the formula", "", "", "number in c"]
    assert [record.fields["zip"] for record in records[:4]] == ["#N/A", "", "", "2"]


@pytest.mark.parametrize(
    ("maps", "invalid", "warned"),
    [((), ["lost-value"], ["null-word"]), ((("zip", "ignore"),), [], [])],
    ids=["sent", "ignored"],
)
def test_what_a_workbook_lost_harms_only_rows_that_send_it(
    tmp_path: Path, maps: tuple[tuple[str, str], ...], invalid: list[str], warned: list[str]
) -> None:
    rows = (
        f'<row r="3">{text("B3", "a@example.com")}<c r="C3" t="e"><v>#N/A</v></c></row>'
        f'<row r="4">{text("B4", "b@example.com")}<c r="C4"><v>12345678901234567</v></c></row>'
    )
    path = workbook(tmp_path / "people.xlsx", HEADER + rows)
    found = survey(path, Preparing(mapping=MappingOptions(maps=maps)))
    assert [group.rule for group in found.groups if not group.warning] == invalid
    assert [group.rule for group in found.groups if group.warning] == warned


def test_numbers_are_read_with_the_zeros_that_their_format_shows(tmp_path: Path) -> None:
    styles = (
        '<numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="000;-000"/>'
        '<numFmt numFmtId="166" formatCode="00.0"/></numFmts><cellXfs count="4"><xf numFmtId="0"/>'
        '<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs>'
    )
    numbers = [
        ("1", "1099"),
        ("1", "123456"),
        ("2", "7"),
        ("3", "7"),
        ("0", "7"),
        ("1", "-7"),
        ("1", "1.5"),
        ("1", "0"),
    ]
    rows = "".join(
        f'<row r="{at}">{text(f"B{at}", f"u{at}@example.com")}<c r="C{at}" s="{style}"><v>{number}</v></c></row>'
        for at, (style, number) in enumerate(numbers, 3)
    )
    records = read_records(workbook(tmp_path / "people.xlsx", HEADER + rows, styles=styles))
    assert [record.fields["zip"] for record in records] == ["01099", "123456", "007", "7", "7", "-7", "1.5", "00000"]
    assert [
        notice.message for notice in records.notices if notice.code == "leading-zeros" and "'zip'" in notice.message
    ]


def test_a_cover_sheet_is_told_from_the_sheet_that_holds_the_table(tmp_path: Path) -> None:
    cover = f'<row r="1">{text("A1", "Read me")}</row><row r="2">{text("A2", "All of it")}</row>'
    people = HEADER + f'<row r="3">{text("B3", "a@example.com")}</row>'
    with pytest.raises(SourceError, match="table in sheet 'Sheet 2'"):
        read_records(workbook(tmp_path / "people.xlsx", cover, people))


def test_a_workbook_that_was_cut_short_is_called_one(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "whole.xlsx", HEADER).read_bytes()
    (tmp_path / "cut.xlsx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cut short"):
        read_records(tmp_path / "cut.xlsx")


def test_a_hidden_sheet_is_read_only_when_none_is_shown(tmp_path: Path) -> None:
    first, second = (
        HEADER + f'<row r="3">{text("B3", f"{name}@example.com")}{text("C3", "1")}</row>' for name in ("old", "new")
    )
    records = read_records(workbook(tmp_path / "a.xlsx", first, second, hidden=1))
    assert [record.fields["email"] for record in records] == ["new@example.com"]
    records = read_records(workbook(tmp_path / "b.xlsx", first, hidden=1))
    assert [record.fields["email"] for record in records] == ["old@example.com"]


def test_hidden_rows_and_merged_cells_are_said(tmp_path: Path) -> None:
    rows = HEADER + "".join(
        f'<row r="{n}"{" hidden=" + chr(34) + "1" + chr(34) if n == 4 else ""}>{text(f"B{n}", f"u{n}@example.com")}</row>'
        for n in range(3, 7)
    )
    merged = '<mergeCells count="1"><mergeCell ref="C3:C4"/></mergeCells>'
    records = read_records(workbook(tmp_path / "customers.xlsx", rows, behind=merged))
    said = {notice.code: notice.message for notice in records.notices}
    assert len(list(records)) == 4
    assert "row 4" in said["hidden-rows"]
    assert "C3:C4" in said["merged-cells"]


def test_totals_and_second_tables_of_a_sheet_are_no_customers(tmp_path: Path) -> None:
    people = "".join(
        f'<row r="{n}">{text(f"B{n}", f"u{n}@example.com")}{text(f"C{n}", "1")}</row>' for n in range(3, 9)
    )
    total = f'<row r="9">{text("B9", "Total")}{text("C9", "6")}</row>'
    table = f'<row r="11">{text("B11", "sku")}{text("C11", "price")}</row><row r="12">{text("B12", "x")}{text("C12", "2")}</row>'
    records = list(read_records(workbook(tmp_path / "customers.xlsx", HEADER + people + total + table)))
    assert [record.problem is None for record in records] == [True] * 6 + [False] * 3
