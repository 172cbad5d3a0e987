"""Rows that a bare line break in their last cell cut short: the piece below is damaged for sure, the row above perhaps.

A line of one cell below a row may be the rest of that row's last cell, or a footer, a heading, a comment. What decides:
a foreign line end between the two, or good rows that go on below the piece. Where neither does, the piece says the doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum

from bulk_import.model import Block, Record
from bulk_import.reading.kinds import kind_of
from bulk_import.reading.lines import end_of
from bulk_import.reading.table import TOTAL, Table

MOST = 100
"""Most lines that one cell is taken to run on for."""

_NOTE = re.compile(r"\W*|(?:[#<>=*/(-]|--).*|page\b.*|\d+ (?:rows?|records?)\b.*", re.IGNORECASE | re.DOTALL)


class Rest(Enum):
    """Whether a damaged line is the rest of the row above it, or the beginning of the one below."""

    NO = "no"
    BELOW = "below"
    PERHAPS = "perhaps"
    SURELY = "surely"


def rest_of(above: Sequence[str], cells: Sequence[str], table: Table) -> Rest:
    """Judge a line of *cells* by the physical lines above it, the nearest last (one or two, with their ends)."""
    if len(cells) != 1 or table.width == 1:
        return Rest.NO
    if table.kinds and table.kinds[0] and table.kinds[0] != "email" and kind_of(cells[0]) == table.kinds[0]:
        return Rest.BELOW
    if not above or not _may_go_on(above[-1], cells[0], table):
        return Rest.NO
    before = end_of(above[-2]) if len(above) > 1 else table.row_ending
    foreign = end_of(above[-1]) not in ("", table.row_ending) and before == table.row_ending
    return Rest.SURELY if foreign else Rest.PERHAPS


def _may_go_on(above: str, text: str, table: Table) -> bool:
    """Whether the row above ends in an open text, and the piece neither begins a row nor reads like a note of its own."""
    ended = above.strip()
    if not ended or (table.dialect.quote and ended.endswith(table.dialect.quote)):
        return False
    first = table.kinds[0] if table.kinds else ""
    begins = ("@" in text and "email" in table.kinds) or (first != "" and kind_of(text) == first)
    return not begins and _NOTE.fullmatch(text.strip()) is None and TOTAL.match(text.strip()) is None


def begun_above(pieces: Iterable[Block | Record], rest: Callable[[Record], Rest]) -> Iterator[Block | Record]:
    """The same pieces; the row right below a piece that looks like the beginning of its first cell is damaged, too."""
    begun: Record | None = None
    for piece in pieces:
        if begun is not None and _is_sound(piece) and piece.line == begun.line + 1:
            row, others = _first(piece)
            yield replace(begun, problem=f"{_what(begun)}; it seems to begin the first cell on line {row.line}")
            yield replace(
                row, problem=f"its first cell seems to begin on line {begun.line}, above a bare line break; join them"
            )
            begun = None
            if others is not None:
                yield others
            continue
        if begun is not None:
            yield begun
        begun = piece if isinstance(piece, Record) and rest(piece) is Rest.BELOW else None
        if begun is None:
            yield piece
    if begun is not None:
        yield begun


def cut_short(pieces: Iterable[Block | Record], rest: Callable[[Record], Rest]) -> Iterator[Block | Record]:
    """The same pieces, one held back: the row above a piece that is its rest is damaged, too."""
    held: Block | Record | None = None
    loose: list[Record] = []
    sure = False
    for piece in pieces:
        found = rest(piece) if isinstance(piece, Record) and held is not None and _is_sound(held) else Rest.NO
        if isinstance(piece, Record) and found in (Rest.PERHAPS, Rest.SURELY) and len(loose) < MOST:
            loose.append(piece)
            sure = sure or found is Rest.SURELY
            continue
        yield from _settled(held, loose, sure or _is_sound(piece))
        held, loose, sure = piece, [], False
    yield from _settled(held, loose, sure)


def _is_sound(piece: Block | Record) -> bool:
    return isinstance(piece, Block) or piece.problem is None


def _settled(held: Block | Record | None, loose: Sequence[Record], belongs: bool) -> Iterator[Block | Record]:
    if held is None:
        return
    if not loose:
        yield held
        return
    before, row = _last(held)
    if before is not None:
        yield before
    lines = f"line {loose[0].line}" if len(loose) == 1 else f"lines {loose[0].line} to {loose[-1].line}"
    if not belongs:
        yield row
        doubt = f"if it is the rest of the last cell on line {row.line}, that row is cut short"
        yield from (replace(piece, problem=f"{_what(piece)}; {doubt}") for piece in loose)
        return
    yield replace(
        row, problem=f"its last cell seems to go on in {lines}, behind a bare line break; join them or quote the cell"
    )
    yield from (replace(piece, problem=f"{_what(piece)}; it seems to belong to line {row.line}") for piece in loose)


def _what(piece: Record) -> str:
    """What is wrong with a piece, without what to do about a row that it is none of."""
    return (piece.problem or "").partition("; ")[0]


def _last(piece: Block | Record) -> tuple[Block | None, Record]:
    """A piece's last record, and what stands before it."""
    if isinstance(piece, Record):
        return None, piece
    end = len(piece.rows) - 1
    return replace(piece, rows=piece.rows[:end]) if end else None, piece.record(end)


def _first(piece: Block | Record) -> tuple[Record, Block | None]:
    """A piece's first record, and what stands behind it."""
    if isinstance(piece, Record):
        return piece, None
    rest = Block(piece.number + 1, piece.line + 1, piece.columns, piece.rows[1:])
    return piece.record(0), rest if rest.rows else None
