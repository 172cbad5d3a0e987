"""Lines as rows: what tells the inside of a quoted cell from rows that an open quote would swallow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bulk_import.reading.cells import Line, Split, split_record
from bulk_import.reading.kinds import fits
from bulk_import.reading.lines import OVERLONG
from bulk_import.reading.table import Table, trimmed

SWALLOWED = 5
"""From so many lines on, a sound record is taken for rows behind an open quote when each of its lines is a row."""

_MOST = 0.9
"""The share of lines that must read well for all of them to be rows."""


def reads_well(line: Line, index: int, table: Table) -> bool:
    """Whether one physical line is, by itself, a whole row of the table."""
    text = line(index)
    if text is None or not text.strip() or text.startswith(OVERLONG):
        return False
    if text.count(table.dialect.delimiter) < table.width - 1:
        return False
    alone = split_record(lambda at: text if at == index else None, index, table.dialect)
    if alone.opened is not None or alone.stray or len(trimmed(alone.cells, table.width)) != table.width:
        return False
    if _closes(text, table):
        return False
    return _fits(alone.cells, table)


def begins_row(line: Line, index: int, table: Table) -> bool:
    """Whether a line is a row, or a damaged one: about as wide as the table.

    Only asked about lines behind a quote that already went wrong; the inside of a sound cell is not judged by it.
    """
    if reads_well(line, index, table):
        return True
    text = line(index) or ""
    width = len(_naive(text, table))
    return not _closes(text, table) and max(2, table.width * 2 // 3) <= width <= table.width + 1 + table.width // 3


def _naive(text: str, table: Table) -> list[str]:
    """The cells of a line when quotes mean nothing."""
    return text.rstrip("\r\n").split(table.dialect.delimiter)


def swallows(line: Line, start: int, split: Split, cells: Sequence[str], table: Table) -> bool:
    """Whether the lines a record takes after its first are rows of their own, behind a quote left open.

    A record that is sound as it stands is believed however many lines it takes, as rows may be pasted into a cell, unless
    the other reading is as sound: with the two quotes as text, its first line, its last and those between are all rows.
    A record of nearly the right width is only doubted when the lines inside it have the kinds of the columns, or
    (where no column tells anything) when several of them and all of them have the table's width.
    """
    following = range(start + 1, start + split.lines)
    if len(cells) == table.width and not split.stray:
        return (
            split.lines > SWALLOWED and _are_rows(line, start, split, table) and _ends_as_row(line, start, split, table)
        )
    if table.width < 3 or abs(len(cells) - table.width) != 1 or split.stray:
        return any(begins_row(line, index, table) for index in following)
    if any(table.kinds):
        return any(_looks_like_row(line(index) or "", table) for index in following)
    inner = [line(index) or "" for index in following[:-1]]
    widths = [text.count(table.dialect.delimiter) + 1 for text in inner]
    return table.width > 1 and len(inner) > 1 and all(width == table.width for width in widths)


def may_swallow(line: Line, start: int, split: Split, table: Table) -> bool:
    """Whether a record of several lines, sound as it stands, may as well be two rows and more: which one, nobody can tell.

    So it is where its quotes, read as text, leave a row of the table's width on each of its lines, with an address (or
    where no column has any, all that tells something). Doubled quotes inside, or cells that are all quoted, are a writer's.
    """
    following = range(start + 1, start + split.lines)
    if not any(table.kinds) or any(
        (line(at) or "").count(table.dialect.delimiter) < table.width - 1 for at in following
    ):
        return False
    first = split_record(lambda at: line(at) if at == start else None, start, table.dialect)
    all_quoted = first.quoted == len(first.cells) + 1 > 1
    if first.opened is None or all_quoted or (table.dialect.quote or "") in first.rest:
        return False
    cells = [*first.cells, *_naive(first.rest, table)]
    return _is_whole(cells, table) and all(_is_whole_row(line(at) or "", table) for at in following)


def _is_whole_row(text: str, table: Table) -> bool:
    """Whether a line that may end an open quote is a row with all that tells one."""
    if text.count(table.dialect.delimiter) < table.width - 1:
        return False
    alone = split_record(lambda at: text if at == 0 else None, 0, table.dialect)
    # A quote that seems to open a cell there is the one that closes: it stands where the cell was empty.
    cells = alone.cells if alone.opened is None else [*alone.cells, *_naive(alone.rest, table)]
    return not alone.stray and _is_whole(trimmed(cells, table.width), table)


def _is_whole(cells: Sequence[str], table: Table) -> bool:
    """Whether cells are a row of the table's width and kinds whose address, or all that tells something, is there."""
    telling = [(cell, kind) for cell, kind in zip(cells, table.kinds, strict=False) if kind]
    needed = [cell for cell, kind in telling if kind == "email"] or [cell for cell, _ in telling]
    bare = [cell.strip(f"{table.dialect.quote} ") for cell in cells]
    return len(cells) == table.width and all(map(str.strip, needed)) and fits(bare, table.kinds)


def holds_rows(line: Line, start: int, split: Split, table: Table) -> bool:
    """Whether a sound record has lines inside that are whole rows, with the kinds of the columns or, of none, their number."""
    following = range(start + 1, start + split.lines)
    if not any(table.kinds):
        return table.width > 2 and any(len(_naive(line(at) or "", table)) == table.width for at in following)
    last = line(following[-1]) or ""
    return any(reads_well(line, index, table) for index in following) or _is_whole_row(last, table)


def swallowed_so_far(line: Line, start: int, split: Split, table: Table) -> bool:
    """Whether a quoted cell that became too long is rather an open quote with rows behind it."""
    return _are_rows(line, start, split, table)


def _are_rows(line: Line, start: int, split: Split, table: Table) -> bool:
    """Whether the first line is a row when its open quote is text, and nearly all lines inside the record are rows."""
    first = split_record(lambda at: line(at) if at == start else None, start, table.dialect)
    cells = [*first.cells, *_naive(first.rest, table)]
    if first.opened is None or len(cells) != table.width or not _fits(cells, table):
        return False
    inner = [index for index in range(start + 1, start + split.lines - 1) if (line(index) or "").strip()]
    return sum(reads_well(line, index, table) for index in inner) >= _MOST * len(inner)


def _ends_as_row(line: Line, start: int, split: Split, table: Table) -> bool:
    """Whether the last line is a row when its closing quote is text."""
    last = start + split.lines - 1
    alone = split_record(lambda at: line(at) if at == last else None, last, table.dialect)
    return alone.opened is None and bool(alone.loose) and len(alone.cells) == table.width and _fits(alone.cells, table)


def _fits(cells: Sequence[str], table: Table) -> bool:
    return fits(cells, table.kinds) if any(table.kinds) else True


def _closes(text: str, table: Table) -> bool:
    """Whether a cell of a line ends with a quote and begins with none: an open cell was closed there, properly."""
    quote, delimiter = table.dialect.quote, table.dialect.delimiter
    if quote is None or quote not in text:
        return False
    sign, mark = re.escape(quote), re.escape(delimiter)
    bare = re.sub(f"(?:(?<={mark})|^) *{sign}(?:[^{sign}]|{sign}{sign})*{sign} *(?={mark}|$)", "", text.rstrip("\r\n"))
    cells = [cell.strip(" ") for cell in bare.split(delimiter)]
    return any(cell.endswith(quote) and not cell.startswith(quote) for cell in cells)


def _looks_like_row(text: str, table: Table) -> bool:
    """Whether a line has the kinds of the columns; of one with too many cells only the first half is asked.

    The address must be there where the table has one, else every cell that tells something: a sound cell
    over several lines must not be doubted for a stray number.
    """
    cells = [cell.strip().strip(table.dialect.quote or "") for cell in _naive(text, table)]
    if len(cells) < table.width or _closes(text, table):
        return False
    asked = table.kinds if len(cells) == table.width else table.kinds[: (table.width + 1) // 2]
    needed = [cell for cell, kind in zip(cells, asked, strict=False) if kind == "email"] or [
        cell for cell, kind in zip(cells, asked, strict=False) if kind
    ]
    return all(needed) and fits(cells[: len(asked)], asked)
