"""Where the table of a delimited text begins, whether it has a header, and what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bulk_import.errors import SourceError
from bulk_import.reading.damage import readable
from bulk_import.reading.dialect import SampleRow
from bulk_import.reading.kinds import TELLING, fits, kind_of, kinds_of
from bulk_import.reading.likely import encoding_advice
from bulk_import.reading.lines import bad_byte
from bulk_import.reading.titles import are_titles, is_address_title
from bulk_import.wording import without_addresses

_YEAR = re.compile(r"(?:19|20)\d\d")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){12,}")
_MISREAD_MARK = "ï»¿"  # a byte order mark that some program took for text in cp1252
_LONGEST_SHOWN = 60
_ADDRESS = re.compile(r"[^@\s,;|<>\"]+@[^@\s,;|<>\"]+\.[^@\s,;|<>\".]+")


@dataclass(frozen=True, slots=True)
class Header:
    """Where the table begins (a line index) and its columns; `names` says whether that line holds their names."""

    line: int
    names: bool
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    unnamed: tuple[str, ...] = ()


def find_header(
    rows: Sequence[SampleRow], width: int, asked: bool | None, fixed: bool, name: str, above: int
) -> Header:
    """The header among the sample's rows.

    *asked* is the user's word on whether there is one, *fixed* that the table begins with the first row.
    *above* counts lines that were skipped before the sample, for the line numbers in messages. Raises
    `SourceError` when the first row looks like data, or names two columns alike.
    """
    start = 0 if fixed else _start(rows, width, asked)
    first = rows[start]
    _refuse_table_above(rows[:start], name, above, first)
    if asked is False:
        body = rows[start:]
        columns = tuple(f"column_{number}" for number in range(1, width + 1))
        return Header(first.line, False, columns, _kinds(body, len(columns)))
    if first.broken:
        raise SourceError(
            f"{name} has a header with a quote left open, on line {above + first.line + 1}; mend that line."
        )
    body = rows[start + 1 :]
    if asked is None and _is_data(first, body, width):
        raise SourceError(
            f"{name} seems to have no header: line {above + first.line + 1} looks like data "
            f"({shown(','.join(first.cells))}); {_without_header(first, body, width)}."
        )
    columns, unnamed = _named(first, body, name, above)
    return Header(first.line, True, columns, _kinds(body, len(columns)), unnamed)


def _refuse_table_above(rows: Sequence[SampleRow], name: str, above: int, first: SampleRow) -> None:
    """Titles and notes above a table may be skipped; rows of another table may not, unless told to."""
    for width in {len(row.cells) for row in rows if len(row.cells) > 1}:
        alike = [row for row in rows if len(row.cells) == width and row.filled > 1]
        if sum(1 for row in alike if _has_email(row)) > 1 or (
            width > 2 and len(alike) > 2 and not are_titles(first.cells)
        ):
            raise SourceError(
                f"{name} seems to hold more than one table, the first from line {above + alike[0].line + 1} to line "
                f"{above + alike[-1].line + 1}; give each a file of its own, or skip what stands above the last with "
                f"--skip-lines {above + first.line}."
            )


def refuse_table_in(lines: Sequence[str], name: str, above: int) -> None:
    """The same for the lines above the table as they stand, whatever delimiter they were written with."""
    with_email = [number for number, line in enumerate(lines, above + 1) if _ADDRESS.search(line)]
    if len(with_email) > 1:
        raise SourceError(
            f"{name} seems to hold more than one table: there are addresses on lines {with_email[0]} and {with_email[1]}, "
            f"above the one that begins on line {above + len(lines) + 1}; give each a file of its own, or skip what stands "
            f"above the last with --skip-lines {above + len(lines)}."
        )


def shown(text: str) -> str:
    """A piece of the source, shortened and without anything a terminal would act on, nor addresses, nor numbers as long as a card's."""
    text = without_addresses(_LONG_NUMBER.sub("***", text.strip("\r\n")))
    text = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return ascii(text) if not text.isprintable() else repr(text)


def _kinds(rows: Sequence[SampleRow], width: int) -> tuple[str, ...]:
    """What the columns look like, from the rows above the first blank line: below it another table may begin."""
    end = next((index for index, row in enumerate(rows) if row.after_blank and index), len(rows))
    return kinds_of([row.cells for row in rows[:end] if not row.broken and len(row.cells) >= width], width)


def _start(rows: Sequence[SampleRow], width: int, asked: bool | None) -> int:
    """The index of the first row of the table: as wide as most rows, and mostly filled."""
    if width == 1:
        return _start_of_single_column(rows, asked)
    wide = [index for index, row in enumerate(rows) if len(row.cells) == width and not row.broken]
    full = [index for index in wide if rows[index].filled >= max(2, (width + 1) // 2)]
    found = (full or wide or [0])[0]
    if asked is False:
        holding = [index for index, row in enumerate(rows[:found]) if _has_email(row)]
        return min([found, *holding])
    if not _is_data(rows[found], rows[found + 1 :], width):
        return _titles_below(rows, found, width) or found + _is_group_line(rows[found:], width)
    return _header_above(rows, found)


def _titles_below(rows: Sequence[SampleRow], found: int, width: int) -> int | None:
    """The row of column names above the first address, where the row *found* is a title as wide as the table."""
    if are_titles(rows[found].cells):
        return None
    end = next((index for index in range(found, len(rows)) if _has_email(rows[index])), len(rows))
    named = [
        index
        for index in range(found + 1, end)
        if len(rows[index].cells) == width and rows[index].filled == width and are_titles(rows[index].cells)
    ]
    return named[-1] if named else None


def _is_group_line(rows: Sequence[SampleRow], width: int) -> bool:
    """Whether the first row only groups columns (`Contact,,Address,`), and the real header is the full row below it."""
    if len(rows) < 3 or rows[1].line != rows[0].line + 1 or rows[0].filled == width or rows[1].filled != width:
        return False
    if len(rows[1].cells) != width:
        return False
    return any(_kinds(rows[2:], width)) and not _tells(rows[1].cells) and not _tells(rows[0].cells)


def _header_above(rows: Sequence[SampleRow], found: int) -> int:
    """A header of another width than the rows below it, or with a quote left open, is still the header, not a title."""
    for index in range(found - 1, -1, -1):
        row = rows[index]
        if row.line != rows[index + 1].line - 1:
            break
        if row.broken:
            return index
        if len(row.cells) > 1 and row.filled > 1 and not _tells(row.cells):
            return index
        if not _tells(row.cells):
            break
    return found


def _start_of_single_column(rows: Sequence[SampleRow], asked: bool | None) -> int:
    """One column: the line above the first address, or the first line."""
    first = next((index for index, row in enumerate(rows) if _has_email(row)), 0)
    if asked is False:
        return first
    named = [index for index, row in enumerate(rows[:first]) if is_address_title(row.cells[0])]
    return named[-1] if named else max(0, first - 1)


def _has_email(row: SampleRow) -> bool:
    return any(kind_of(cell) == "email" for cell in row.cells)


def _tells(cells: Sequence[str]) -> bool:
    return any(kind_of(cell) in TELLING for cell in cells)


def _is_data(row: SampleRow, body: Sequence[SampleRow], width: int) -> bool:
    """Whether a row looks like data: it holds an address, or is of the same kinds as the rows below."""
    if _has_email(row):
        return True
    if any(_YEAR.fullmatch(cell.strip()) for cell in row.cells):
        return False
    if not body:
        return _tells(row.cells)
    return fits(row.cells, _kinds(body, width))


def _without_header(first: SampleRow, body: Sequence[SampleRow], width: int) -> str:
    """What to pass for a table without a header; columns that nobody named may hold passwords, so they stay behind."""
    kinds = [kind_of(cell) for cell in first.cells] + list(_kinds(body, width))
    email = f"column_{kinds.index('email') % len(first.cells) + 1}" if "email" in kinds else "COLUMN"
    if width == 1:
        return f"pass --no-header, and --map {email}=email"
    return (
        f"pass --no-header, --map {email}=email, another --map for each column to be sent (column_1 to column_{width}), and "
        "--unmapped ignore for all others"
    )


def _named(row: SampleRow, body: Sequence[SampleRow], name: str, above: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The column names, and which of them had to be made up."""
    if odd := [cell for cell in row.cells if not readable(cell)]:
        raise _unreadable_name(odd[0], name, above + row.line + 1)
    names = [_unmarked(cell.strip().strip("\ufeff\u200b")) for cell in row.cells]
    while len(names) > 1 and not names[-1] and not any(_filled_at(other, len(names) - 1) for other in body):
        names.pop()
    made_up = tuple(f"column_{number}" for number, found in enumerate(names, 1) if not found)
    columns = tuple(found or f"column_{number}" for number, found in enumerate(names, 1))
    twice = sorted({found for found in columns if columns.count(found) > 1}) if len(set(columns)) < len(columns) else []
    if twice:
        places = [number for number, found in enumerate(columns, 1) if found == twice[0]]
        raise SourceError(
            f"{name} has more than one column named {shown(twice[0])} (columns {', '.join(map(str, places))}, line "
            f"{above + row.line + 1}); rename or remove all but one."
        )
    return columns, made_up


def _unmarked(name: str) -> str:
    """The name without a misread mark, and without the quotes that are text only because it stood before them."""
    if not name.startswith(_MISREAD_MARK):
        return name
    return name.removeprefix(_MISREAD_MARK).strip('"')


def _unreadable_name(cell: str, name: str, line: int) -> SourceError:
    byte = next((found for character in cell if (found := bad_byte(character)) is not None), None)
    if byte is None:
        return SourceError(
            f"{name} has a column name that cannot be read, {shown(cell)} on line {line}; mend the header."
        )
    marked = ((bad_byte(character), character) for character in cell)
    data = b"".join(character.encode("utf-8", "replace") if bad is None else bytes([bad]) for bad, character in marked)
    plain = shown(data.decode("ascii", "replace").replace("\ufffd", "?"))
    return SourceError(
        f"{name} has a column name that cannot be read, {plain} with byte 0x{byte:02X} on line {line}; mend the header, or "
        f"{encoding_advice(data)}."
    )


def _filled_at(row: SampleRow, index: int) -> bool:
    return len(row.cells) > index and bool(row.cells[index].strip())
