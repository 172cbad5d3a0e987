"""What becomes of a record that the fast path would not take as it is: read after all, or damaged, and how far it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bulk_import.formulas import protected_text
from bulk_import.reading.cells import Line, Split, split_record
from bulk_import.reading.kinds import holds_nothing
from bulk_import.reading.lines import LIMIT, OVERLONG, bad_byte, end_of
from bulk_import.reading.rowlike import begins_row, holds_rows, may_swallow, swallowed_so_far, swallows
from bulk_import.reading.strays import Stray, strays_of
from bulk_import.reading.table import Table, trimmed

LOOKAHEAD = 100
"""Most lines that an unclosed cell may take along to the end of the file."""

PATIENCE = 20
"""Most lines that a cell may run over once a stray quote was seen in its record."""

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A record's cells, how many physical lines it takes, and why it could not be read (None when it could).

    `blank` says that it holds nothing at all, so that it is no record; `stray` that quotes were read as text; `opens`
    that a quote was left open; `closes` is the cell that may end with the other quote of such a one; `rows_within` says
    that a quoted cell holds lines that look like rows, `overlong` that one goes on beyond the record. `undecided` counts
    the lines, from the first, that are one row or a row each. `lost` has the columns of a sound row whose cells hold what no
    cell may hold, each with the reason.
    """

    cells: list[str]
    lines: int
    problem: str | None = None
    undecodable: bool = False
    blank: bool = False
    stray: bool = False
    opens: bool = False
    closes: int | None = None
    rows_within: bool = False
    overlong: bool = False
    undecided: int = 0
    lost: tuple[tuple[str, str], ...] = ()


def judge(line: Line, start: int, table: Table) -> Verdict:
    """Read the record that starts at line *start*, or say what is wrong with it."""
    if (line(start) or "").startswith(OVERLONG):
        return Verdict([], 1, f"the line is longer than {LIMIT} characters; split or remove it")
    verdict = _structure(line, start, table)
    text = "".join(line(start + index) or "" for index in range(verdict.lines))
    if found := _UNREADABLE.search(text.replace(table.dialect.delimiter, "")):
        verdict = _unreadable(verdict, found.group(), table)
    if verdict.problem is not None and verdict.lines > 1:
        what, _, mend = verdict.problem.partition("; ")
        verdict = replace(verdict, problem=f"{what} (it takes {verdict.lines} lines); {mend}")
    return verdict


def _structure(line: Line, start: int, table: Table) -> Verdict:
    split = _split(line, start, table)
    if split.opened is not None:
        return _open(line, start, split, table)
    if holds_nothing(split.cells):
        return Verdict([], split.lines, blank=True)
    cells = trimmed(split.cells, table.width)
    if split.lines > 1 and swallows(line, start, split, cells, table):
        return _unclosed(line, start, 1, table)
    if table.lacks_one(split.cells):
        return Verdict(cells, split.lines, wrong_width(len(split.cells), table))
    sound = not split.stray and len(cells) == table.width
    if split.lines > 1 and sound and may_swallow(line, start, split, table):
        return replace(by_itself(line(start) or "", table), undecided=split.lines)
    if len(cells) != table.width:
        return _joined_by_break(line, start, table) or Verdict(cells, split.lines, wrong_width(len(cells), table))
    if split.stray and split.lines > 1:
        return Verdict(
            [],
            split.lines,
            "a quote inside a quoted cell is not escaped, and the cell runs over lines; double that quote",
        )
    strays = strays_of(split.loose, table.dialect.quote or "", table.dialect.delimiter)
    return Verdict(
        cells,
        split.lines,
        _stray_problem(strays, split, table),
        stray=any(protected_text(loose.cell.strip()) is None for loose in split.loose) or split.stray,
        closes=strays.get(Stray.MAY_CLOSE),
        rows_within=split.lines > 1 and holds_rows(line, start, split, table),
    )


def _stray_problem(strays: Mapping[Stray, int], split: Split, table: Table) -> str | None:
    """Why a row whose quotes could be read in two ways is not read in either."""
    if Stray.OPENS in strays:
        column = table.columns[strays[Stray.OPENS]]
        return f"a quote inside column {column!r} may enclose the delimiter behind it; quote the whole cell"
    if Stray.CLOSES in strays:
        return closes_nothing(table.columns[strays[Stray.CLOSES]])
    if Stray.MAY_CLOSE in strays and split.quoted:
        return closes_nothing(table.columns[strays[Stray.MAY_CLOSE]])
    return None


def closes_nothing(column: str) -> str:
    """The problem of a cell whose closing quote has no opening one."""
    return (
        f"a quote closes in column {column!r} that opens nowhere on this row; open the cell with one, or take it away"
    )


def by_itself(text: str, table: Table) -> Verdict:
    """One line by itself, with quotes as text: it may be a row or the inside of a cell."""
    return Verdict(text.rstrip("\r\n").split(table.dialect.delimiter)[: table.width], 1)


def row_or_rows(lines: range) -> str:
    """The problem of lines that are a row each, or all of them one with a quoted cell."""
    first, last = lines[0], lines[-1]
    return (
        f"lines {first} to {last} are a row each, or one with a quoted cell: take away the quote that opens on line "
        f"{first} and the one that closes on line {last}, or put a line break before the latter if it is one cell"
    )


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


def _open(line: Line, start: int, split: Split, table: Table) -> Verdict:
    """A record whose quote never closes ends on the line where it opened, or with the file if nothing reads well."""
    if split.overlong and not swallowed_so_far(line, start, split, table):
        where = _column(len(split.cells), table)
        return Verdict(
            split.cells[: table.width],
            split.lines,
            f"{where} is longer than {LIMIT} characters; shorten it",
            overlong=True,
        )
    opened = (split.opened or 0) + 1
    last = start + split.lines
    to_the_end = not split.stray and line(last) is None and split.lines - opened <= LOOKAHEAD
    if to_the_end and not any(begins_row(line, index, table) for index in range(start + opened, last)):
        opened = split.lines
    return _unclosed(line, start, opened, table)


def _unclosed(line: Line, start: int, lines: int, table: Table) -> Verdict:
    alone = split_record(lambda at: line(at) if at < start + lines else None, start, table.dialect)
    name = _column(len(alone.cells), table)
    behind = ": text stands behind the quote that should close it" if alone.stray else ""
    problem = f"a quote opens in {name} and is not closed on this row{behind}; close it, or take it away"
    return Verdict(alone.cells[: table.width], lines, problem, opens=True)


def _column(index: int, table: Table) -> str:
    return f"column {table.columns[index]!r}" if index < table.width else f"cell {index + 1}"


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
            return Verdict([], lines, f"a bare {what} stands inside the row; take it out, or quote the cell")
    return None


def _breaks(text: str, table: Table) -> bool:
    """Whether a line ends otherwise than rows do; CRLF may end any row."""
    return end_of(text) in ("CR", "LF") and end_of(text) != table.row_ending


def wrong_width(found: int, table: Table) -> str:
    """The problem of a row with too few or too many cells."""
    cells = "cell" if found == 1 else "cells"
    wanted = f"the header has {table.width}" if not table.width <= found < table.cells else f"others have {table.cells}"
    mend = (
        "add the missing ones"
        if found < max(table.width, table.cells)
        else "quote a cell that holds a delimiter, or remove what is too much"
    )
    mend += ", or leave it be if it is a note and nobody's row" if found == 1 else ""
    return f"row has {found} {cells} where {wanted}; {mend}"


def _unreadable(verdict: Verdict, character: str, table: Table) -> Verdict:
    """The same record with what no cell may hold: of a sound row only these cells are lost, else it is a problem."""
    found = [(at, sign.group()) for at, cell in enumerate(verdict.cells) if (sign := _UNREADABLE.search(cell))]
    said = [(at, *_named(sign, table.encoding)) for at, sign in found]
    undecodable = any(undecodable for *_, undecodable in said) or _named(character, table.encoding)[2]
    if verdict.problem is None and said and len(verdict.cells) == table.width:
        columns = [(table.columns[at], what, mend) for at, what, mend, _ in said]
        lost = tuple((column, f"{what} in column {column!r}; {mend}") for column, what, mend in columns)
        return replace(verdict, lost=lost, undecodable=undecodable)
    what, mend, _ = _named(character, table.encoding)
    only_such = len(verdict.cells) == 1 and not _UNREADABLE.sub("", verdict.cells[0]).strip()  # as a padded file ends
    problem = None if only_such else verdict.problem
    return replace(verdict, problem=problem or f"{what}; {mend}", undecodable=undecodable)


def readable(cell: str) -> bool:
    """Whether a cell holds only characters a cell may hold."""
    return _UNREADABLE.search(cell) is None


def _named(character: str, encoding: str) -> tuple[str, str, bool]:
    byte = bad_byte(character)
    if byte is not None:
        return f"byte 0x{byte:02X} is not {encoding.upper()}", "write that letter anew", True
    if "\ud800" <= character <= "\udfff":
        return f"a lone surrogate U+{ord(character):04X}", "write that character anew", True
    return f"a control character U+{ord(character):04X}", "remove it", False
