"""Excel workbooks (.xlsx), cell by cell as text, through python-calamine (the `xlsx` extra)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path
from typing import Any

from bulk_import.errors import SourceError
from bulk_import.model import Record
from bulk_import.reading.damage import readable, wrong_width
from bulk_import.reading.dialect import SampleRow
from bulk_import.reading.header import find_header
from bulk_import.reading.kinds import kind_of
from bulk_import.reading.settled import Notice, Overrides, Reading
from bulk_import.reading.sheetmarks import SheetMarks, sheet_marks
from bulk_import.reading.sheetsaying import say_marks, say_table, say_zeros
from bulk_import.reading.source import Source
from bulk_import.reading.table import (
    DRAWS_LINE,
    LOOKS_LIKE_TOTAL,
    NAMES_UNITS,
    REPEATS_HEADER,
    SecondTable,
    is_ruled,
    looks_like_total,
    looks_like_units,
    table_of,
    trimmed,
)
from bulk_import.reading.titles import are_titles
from bulk_import.reading.unpack import Bound, optional
from bulk_import.wording import counted, fold

MAGIC = b"PK\x03\x04"
_EXACT = 2**53
_SAMPLE_ROWS = 120


def is_workbook(path: Path) -> bool:
    """Whether the file is a ZIP archive with an Excel workbook inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def detect_sheet(path: Path, overrides: Overrides) -> tuple[Reading, tuple[Notice, ...]]:
    """Settle how to read a workbook: its first sheet that is shown and has anything in it, and the header."""
    with Source.open(path) as source:
        data = b"".join(source.chunks())
    book = _open(data, path, overrides.max_bytes)
    filled = _filled(book)
    if not filled:
        raise SourceError(f"{path} has no sheet with anything in it; give one with at least one row.")
    skipped = overrides.skip_lines or 0
    sample = _sample(book, filled[0], skipped)
    if not sample:
        raise SourceError(f"{path} has nothing after the {counted(skipped, 'line')} of --skip-lines; skip fewer.")
    _refuse_cover(book, filled, sample, path)
    width = max(_used(row.cells) for row in sample)
    fixed = overrides.skip_lines is not None
    header = find_header(sample, width, overrides.header, fixed, str(path), skipped)
    reading = Reading(
        "xlsx",
        quote=None,
        skip_lines=skipped + header.line,
        header=header.names,
        columns=header.columns,
        kinds=header.kinds,
        max_bytes=overrides.max_bytes,
        sheet=filled[0],
    )
    marks = sheet_marks(data, filled[0])
    first = _first_column(book, filled[0])
    shown = [name for at, name in enumerate(header.columns) if any(marks.zeros.get(at + 1 + first, ()))]
    return reading, (
        *say_table(header, filled),
        *say_zeros(shown),
        *say_marks(marks, reading.skip_lines + header.names),
    )


def read_sheet(source: Source, reading: Reading) -> Iterator[Record]:
    """One record for each row that holds anything; `line` is the row's number in the sheet."""
    data = b"".join(source.chunks())
    book = _open(data, source.path, reading.max_bytes)
    marks, first = sheet_marks(data, reading.sheet or ""), _first_column(book, reading.sheet or "")
    table = table_of(reading)
    second, after_blank = SecondTable(table, has_header=reading.header), False
    number = 0
    for line, row in enumerate(_rows(book, reading.sheet or ""), 1):
        if line <= reading.skip_lines + reading.header:
            continue
        cells = [_shown(value, marks, line, column) for column, value in enumerate(row, first + 1)]
        lost = tuple(_lost(row, marks, line, first, reading))
        if not lost and not any(cell.strip() for cell in cells):
            after_blank = True
            continue
        number += 1
        other = second.problem(line, cells[: _used(cells)], after_blank, is_first=number == 1)
        after_blank = False
        cells = trimmed(cells, table.width) + [""] * (table.width - len(cells))
        fields = dict(zip(reading.columns, cells, strict=False))
        yield Record(number, line, fields, other or _problem(cells, number, reading), lost)


def _shown(value: Any, marks: SheetMarks, row: int, column: int) -> str:
    """A cell as a person sees it: an error by its name, a number with the zeros of its format."""
    if error := marks.errors.get((row, column)):
        return error
    text = _text(value)
    widths = marks.zeros.get(column)
    digits = widths[row] if widths is not None and row < len(widths) else 0
    return text.zfill(digits) if digits and isinstance(value, float) and text.isdecimal() else text


def _lost(row: list[Any], marks: SheetMarks, line: int, first: int, reading: Reading) -> Iterator[tuple[str, str]]:
    """The columns whose value in this row is not what it was, with the reason."""
    for at, (column, value) in enumerate(zip(reading.columns, row, strict=False)):
        if reason := marks.lost.get((line, at + 1 + first)):
            yield column, reason
        elif isinstance(value, float) and abs(value) > _EXACT:
            yield column, f"number in column {column!r} has lost digits in the spreadsheet; store it as text"


def _open(data: bytes, path: Path, max_bytes: int | None) -> Any:
    calamine = optional("python_calamine", "xlsx", path)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        Bound(path, max_bytes, packed=True).count(len(data), size)
        return calamine.CalamineWorkbook.from_filelike(BytesIO(data))
    except (calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceError(f"{path} is not a readable workbook ({error}); save it again as .xlsx or as CSV.") from error


def _filled(book: Any) -> list[str]:
    """The sheets with anything in them, those that are shown before those that are hidden."""
    named = [sheet.name for sheet in sorted(book.sheets_metadata, key=lambda sheet: "Hidden" in str(sheet.visible))]
    return [name for name in named if book.get_sheet_by_name(name).start is not None]


def _first_column(book: Any, sheet: str) -> int:
    """How many empty columns stand before the first that holds anything; rows are given without them."""
    start = book.get_sheet_by_name(sheet).start
    return start[1] if start else 0


def _rows(book: Any, sheet: str) -> Iterator[list[Any]]:
    return iter(book.get_sheet_by_name(sheet).iter_rows())


def _sample(book: Any, sheet: str, skipped: int) -> list[SampleRow]:
    rows: list[SampleRow] = []
    blank = False
    for at, row in enumerate(_rows(book, sheet)):
        if at < skipped or len(rows) == _SAMPLE_ROWS:
            continue
        cells = tuple(_text(value) for value in row)
        if any(cell.strip() for cell in cells):
            rows.append(SampleRow(at - skipped, cells, after_blank=blank))
        blank = not any(cell.strip() for cell in cells)
    return rows


def _used(cells: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _text(value: Any) -> str:
    """A cell as text, written as a person would: no `.0` behind whole numbers, ISO dates."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _problem(cells: list[str], number: int, reading: Reading) -> str | None:
    table = table_of(reading)
    if len(cells) > table.width:
        return wrong_width(len(cells), table)
    if reading.header and list(map(fold, cells)) == list(map(fold, table.columns)):
        return REPEATS_HEADER
    if looks_like_total(cells, table.kinds):
        return LOOKS_LIKE_TOTAL
    if is_ruled(cells):
        return DRAWS_LINE
    if number == 1 and looks_like_units(cells):
        return NAMES_UNITS
    for column, cell in zip(reading.columns, cells, strict=False):
        if not readable(cell):
            return f"a control character in column {column!r}; remove it"
    return None


def _refuse_cover(book: Any, filled: list[str], sample: list[SampleRow], path: Path) -> None:
    """Raise `SourceError` for a first sheet without names or addresses, such as a cover, before one that has them."""
    if any(are_titles(row.cells) or "email" in map(kind_of, row.cells) for row in sample):
        return
    for name in filled[1:]:
        if any(are_titles(row.cells) for row in _sample(book, name, 0)):
            raise SourceError(
                f"{path} holds its table in sheet {name!r}, but only the first sheet is read; move that sheet to the "
                "front, or save it as CSV."
            )
