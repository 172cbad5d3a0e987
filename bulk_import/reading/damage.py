"""What becomes of a record that the fast path would not take as it is: read after all, or damaged, and how far it goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bulk_import.reading.cells import Line, Split, split_record
from bulk_import.reading.kinds import fits, holds_nothing
from bulk_import.reading.lines import LIMIT, OVERLONG, bad_byte, end_of
from bulk_import.reading.table import Table

LOOKAHEAD = 100
"""Most lines that an unclosed cell may take along to the end of the file."""

PATIENCE = 20
"""Most lines that a cell may run over once a stray quote was seen in its record."""

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A record's cells, how many physical lines it takes, and why it could not be read (None when it could).

    `blank` says that it holds nothing at all, so that it is no record.
    """

    cells: list[str]
    lines: int
    problem: str | None = None
    undecodable: bool = False
    blank: bool = False


def judge(line: Line, start: int, table: Table) -> Verdict:
    """Read the record that starts at line *start*, or say what is wrong with it."""
    if (line(start) or "").startswith(OVERLONG):
        return Verdict([], 1, f"the line is longer than {LIMIT} characters; split or remove it")
    verdict = _structure(line, start, table)
    text = "".join(line(start + index) or "" for index in range(verdict.lines))
    if found := _UNREADABLE.search(text.replace(table.dialect.delimiter, "")):
        verdict = _unreadable(verdict, found.group(), table)
    if verdict.problem is not None and verdict.lines > 1:
        verdict = replace(verdict, problem=f"{verdict.problem} (it takes {verdict.lines} lines)")
    return verdict


def trimmed(cells: list[str], width: int) -> list[str]:
    """The cells without empty ones beyond the last column: they hold nothing."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _structure(line: Line, start: int, table: Table) -> Verdict:
    split = _split(line, start, table)
    if split.opened is not None:
        return _open(line, start, split, table)
    if holds_nothing(split.cells):
        return Verdict([], split.lines, blank=True)
    cells = trimmed(split.cells, table.width)
    if split.lines > 1 and _swallows(line, start, split, cells, table):
        return _unclosed(line, start, 1, table)
    if len(cells) != table.width:
        return _joined_by_break(line, start, table) or Verdict(cells, split.lines, wrong_width(len(cells), table))
    if split.stray and split.lines > 1:
        return Verdict([], split.lines, "a quote inside a quoted cell is not escaped, and the cell runs over lines")
    return Verdict(cells, split.lines)


def _split(line: Line, start: int, table: Table) -> Split:
    """Split in the file's own escape style; a record that does not fit is tried in the other one."""

    def begins(index: int) -> bool:
        return index - start > PATIENCE or begins_row(line, index, table)

    split = split_record(line, start, table.dialect, begins)
    if split.opened is None and len(trimmed(split.cells, table.width)) == table.width and not split.stray:
        return split
    if table.dialect.quote is None or "\\" not in (line(start) or ""):
        return split
    other = replace(table.dialect, escape="backslash" if table.dialect.escape == "doubled" else "doubled")
    again = split_record(line, start, other, begins)
    better = again.opened is None and not again.stray and again.lines == 1
    return again if better and len(trimmed(again.cells, table.width)) == table.width else split


def reads_well(line: Line, index: int, table: Table) -> bool:
    """Whether one physical line is, by itself, a whole row of the table."""
    text = line(index)
    if text is None or not text.strip() or text.startswith(OVERLONG):
        return False
    alone = split_record(lambda at: text if at == index else None, index, table.dialect)
    if alone.opened is not None or alone.stray or len(trimmed(alone.cells, table.width)) != table.width:
        return False
    if _closes(text, table):
        return False
    return fits(alone.cells, table.kinds) if any(table.kinds) else True


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


def _swallows(line: Line, start: int, split: Split, cells: Sequence[str], table: Table) -> bool:
    """Whether the lines a record takes after its first are rows of their own, behind a quote left open.

    A record that is sound as it stands is believed whatever its lines look like, as rows may be pasted into a
    cell; only one of more than `LOOKAHEAD` lines is not, when most of them are rows.
    A record of nearly the right width is only doubted when the lines inside it have the kinds of the columns, or
    (where no column tells anything) when several of them and all of them have the table's width.
    """
    following = range(start + 1, start + split.lines)
    if len(cells) == table.width and not split.stray:
        rows = sum(1 for index in following if split.lines > LOOKAHEAD and reads_well(line, index, table))
        return rows * 2 > split.lines
    if table.width < 3 or abs(len(cells) - table.width) != 1 or split.stray:
        return any(begins_row(line, index, table) for index in following)
    if any(table.kinds):
        return any(_looks_like_row(line(index) or "", table) for index in following)
    inner = [line(index) or "" for index in following[:-1]]
    widths = [text.count(table.dialect.delimiter) + 1 for text in inner]
    return table.width > 1 and len(inner) > 1 and all(width == table.width for width in widths)


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


def _open(line: Line, start: int, split: Split, table: Table) -> Verdict:
    """A record whose quote never closes ends on the line where it opened, or with the file if nothing reads well."""
    opened = (split.opened or 0) + 1
    last = start + split.lines
    to_the_end = not split.stray and line(last) is None and split.lines - opened <= LOOKAHEAD
    if to_the_end and not any(begins_row(line, index, table) for index in range(start + opened, last)):
        opened = split.lines
    return _unclosed(line, start, opened, table)


def _unclosed(line: Line, start: int, lines: int, table: Table) -> Verdict:
    alone = split_record(lambda at: line(at) if at < start + lines else None, start, table.dialect)
    column = len(alone.cells)
    name = f"column {table.columns[column]!r}" if column < table.width else f"cell {column + 1}"
    return Verdict(alone.cells[: table.width], lines, f"a quote opens in {name} and is not closed on this row")


def _joined_by_break(line: Line, start: int, table: Table) -> Verdict | None:
    """A row that only a line break of another kind than the rows' own broke apart."""
    text, lines = line(start) or "", 1
    what = "carriage return" if end_of(text) == "CR" else "line feed" if end_of(text) == "LF" else "line break"
    while _breaks(text, table) and lines < LOOKAHEAD and (following := line(start + lines)) is not None:
        text, lines = text.rstrip("\r\n") + " " + following, lines + 1
        if following.startswith(OVERLONG):
            return None
        whole = split_record(lambda at, text=text: text if at == start else None, start, table.dialect)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        if whole.opened is None and len(trimmed(whole.cells, table.width)) == table.width:
            return Verdict([], lines, f"a bare {what} stands inside the row")
    return None


def _breaks(text: str, table: Table) -> bool:
    """Whether a line ends otherwise than rows do; CRLF may end any row."""
    return end_of(text) in ("CR", "LF") and end_of(text) != table.row_ending


def wrong_width(found: int, table: Table) -> str:
    """The problem of a row with too few or too many cells."""
    cells = "cell" if found == 1 else "cells"
    return f"row has {found} {cells} where the header has {table.width}"


def _unreadable(verdict: Verdict, character: str, table: Table) -> Verdict:
    """The same record with the cells dropped that hold what no cell may hold."""
    bad = [index for index, cell in enumerate(verdict.cells) if _UNREADABLE.search(cell)]
    names = [table.columns[index] if index < table.width else f"cell {index + 1}" for index in bad]
    where = f" in column {names[0]!r}" if names else ""
    what, undecodable = _named(character, table.encoding)
    return replace(verdict, problem=verdict.problem or f"{what}{where}", undecodable=undecodable)


def readable(cell: str) -> bool:
    """Whether a cell holds only characters a cell may hold."""
    return _UNREADABLE.search(cell) is None


def _named(character: str, encoding: str) -> tuple[str, bool]:
    byte = bad_byte(character)
    if byte is not None:
        return f"byte 0x{byte:02X} is not {encoding.upper()}", True
    if "\ud800" <= character <= "\udfff":
        return f"a lone surrogate U+{ord(character):04X}", True
    return f"a control character U+{ord(character):04X}", False
