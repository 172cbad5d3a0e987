"""Tables drawn for the eye: a program printed them, and what their cells held cannot be told for sure.

A cell may hold the sign that draws the columns, blanks at its ends, a line break or the word NULL; the program that drew
the table can write it so that nothing is lost, so that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bulk_import.errors import SourceError

_LOOKED_AT = 30
_FEWEST_LINES = 2
_SEPARATORS = frozenset(",;\t|")
_GAP = re.compile(r"\S( {2,})(?=\S)")

# Which line shows it (0 is the first that is not blank), by what sign, what it is and what to do instead.
_DRAWN: tuple[tuple[int, re.Pattern[str], str, str], ...] = (
    (
        0,
        re.compile(r"\+(?:[-=]+\+)+"),
        "a table drawn with lines, as mysql prints it",
        "write it with mysql --batch, which separates cells with tabs, or as CSV",
    ),
    (
        0,
        re.compile("[┌╔╭┏].*"),
        "a table drawn with lines",
        "let the program that drew it write CSV (duckdb -csv, sqlite3 -csv -header)",
    ),
    (
        0,
        re.compile(r"-\[ RECORD 1 \].*|\*+ 1\. row \*+"),
        "records printed one below the other",
        "write them as CSV (psql --csv) or with tabs (mysql --batch, without \\G)",
    ),
    (
        1,
        re.compile(r"[-─]+(?:[+┼][-─]+)+"),
        "a table as psql prints it",
        "write it with psql --csv, or with \\copy (…) to 'FILE' csv header",
    ),
    (
        1,
        # Without blanks or bars around it, it is the rule that sqlcmd -s "|" prints, whose cells are separated.
        re.compile(r"(?=\||.*[ :])\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?|\|\s*:?-+:?\s*\|"),
        "a Markdown table",
        "paste it into a spreadsheet and save that as CSV",
    ),
    (
        1,
        re.compile(r"-{2,}(?: +-{2,})+"),
        "text aligned in columns by blanks, as sqlcmd and sqlite3 print it",
        "write it as CSV (sqlcmd -s ',' -W, sqlite3 -csv -header)",
    ),
)


def refuse_drawn(lines: Sequence[str], path: Path) -> None:
    """Raise `SourceError` for a table that was drawn for the eye, saying what it is and how to write it instead."""
    filled = [line.rstrip("\r\n") for line in lines[:_LOOKED_AT] if line.strip()]
    for place, pattern, what, instead in _DRAWN:
        if len(filled) > place and pattern.fullmatch(filled[place].strip()):
            raise SourceError(f"{path} holds {what}: {instead}.")
    if _is_aligned(filled):
        raise SourceError(
            f"{path} holds text aligned in columns by blanks (fixed width), where no sign ends a cell: save it as CSV from "
            "where it comes, or open it in a spreadsheet as fixed width and save that as CSV."
        )


def _is_aligned(filled: Sequence[str]) -> bool:
    """Whether each of the first line's words begins, in every other line, where a blank went before."""
    if len(filled) < _FEWEST_LINES or not _SEPARATORS.isdisjoint(filled[0]):
        return False
    starts = [gap.end() for gap in _GAP.finditer(filled[0])]
    if not starts or not any("@" in line for line in filled[1:]):
        return False
    return all(line[start - 1 : start] in (" ", "") for line in filled[1:] for start in starts) and all(
        len(line) > starts[0] for line in filled[1:]
    )
