"""What was decided about a delimited text, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulk_import.reading.dialect import Candidate
from bulk_import.reading.escapes import Escapes
from bulk_import.reading.header import Header, shown
from bulk_import.reading.marks import USUAL
from bulk_import.reading.settled import Notice, Reading

_DISGUISES = {
    "wrapped": "each line is one quoted cell, as a spreadsheet writes a table that stood in one column: the outer quotes "
    "are taken away.",
    "typographic": "cells are quoted with typographic quotes, which are read as straight ones.",
}
_ESCAPES = {
    Escapes.SURELY: r"cells are read as PostgreSQL's COPY and mysql --batch write them: \n is a line break, \t a tab, \\ one "
    r"backslash, \N nothing; quotes are ordinary characters.",
    Escapes.PERHAPS: r"cells hold \n, \t or \\, as mysql --batch and PostgreSQL's COPY write line breaks, tabs and backslashes; "
    "they are sent as they stand: if a database wrote them, let it write CSV.",
}
_NAMES = {"\t": "a tab", " ": "a blank"}


def say(
    reading: Reading, header: Header, ranked: Sequence[Candidate], above: Sequence[str], escapes: Escapes
) -> Iterator[Notice]:
    """The notices of a settled reading; *above* holds the lines over the table."""
    if reading.disguise:
        yield Notice("disguise", _DISGUISES[reading.disguise])
    yield Notice("delimiter", _delimiter(reading))
    if escapes is not Escapes.NONE:
        yield Notice("escape", _ESCAPES[escapes])
    elif reading.quote is None:
        yield Notice("quote", _no_quotes(ranked[0]))
    elif reading.quote != '"':
        yield Notice("quote", f"cells are quoted with {reading.quote}.")
    if reading.escape == "backslash":
        yield Notice("escape", "quotes inside cells are escaped with a backslash.")
    if reading.line_ending not in ("LF", "CRLF"):
        ends = "lines end in more than one way" if reading.line_ending == "mixed" else "lines end with CR"
        yield Notice("line-ending", f"{ends}.")
    if filled := [line for line in above if line.strip()]:
        count = f"{len(filled)} line{'s' if len(filled) > 1 else ''}"
        yield Notice("skipped", f"{count} above the table skipped, beginning with {shown(filled[0])}.")
    if not header.names:
        more = ", …" if len(header.columns) > 3 else ""
        yield Notice("header", f"there is no header: columns are called {', '.join(header.columns[:3])}{more}.")
    if header.unnamed:
        yield Notice("unnamed", f"columns without a name are called {', '.join(header.unnamed)}.")
    if rival := _rival(ranked):
        yield Notice("delimiter-close", f"{_mark(rival)} came close as delimiter: look at the first rows as read.")


def _no_quotes(chosen: Candidate) -> str:
    """Where quotes are no quotes: that it is so, and how many cells of the sample begin with one all the same."""
    begin = [cell for row in chosen.rows for cell in row.cells if cell.startswith('"')]
    said = "quotes are ordinary characters here: cells are not quoted"
    if not begin:
        return f"{said}."
    return f"{said}; {len(begin)} cells of the first {len(chosen.rows)} rows begin with one that is part of their text."


def _delimiter(reading: Reading) -> str:
    if len(reading.columns) == 1:
        return "there is one column, so no delimiter."
    return f"delimiter is {_mark(reading.delimiter)}, giving {len(reading.columns)} columns."


def _mark(delimiter: str) -> str:
    return _NAMES.get(delimiter, repr(delimiter))


def _rival(ranked: Sequence[Candidate]) -> str | None:
    best, others = ranked[0], ranked[1:]
    for other in others:
        same = best.dialect.delimiter.strip(" ").startswith(other.dialect.delimiter) or other.width == 1
        if not same and other.dialect.delimiter in USUAL and other.score > 0.9 * best.score:
            return other.dialect.delimiter
    return None
