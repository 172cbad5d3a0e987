r"""Cells in which a database wrote line breaks, tabs and backslashes as `\n`, `\t` and `\\`, and nothing as `\N`.

PostgreSQL's COPY and `mysql --batch` write tables so, between tabs and without quotes. A path or a piece of JSON may look
alike: cells are only read as what they stand for where the table has a word of its own for nothing (`\N`, or MySQL's `NULL`)
or COPY's mark of the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum

from bulk_import.model import Block, Record

_ESCAPE = re.compile(r"\\([bfnrtv0\\])")
_STANDS_FOR = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0", "\\": "\\"}
_NOTHING = r"\N"
_LEFT = re.compile(r"\\(?![bfnrtv0\\])")
_NULL = re.compile(r"(?:(?<=\t)|^)NULL(?=[\t\r\n]|\Z)", re.MULTILINE)
_ENCLOSED = re.compile(r"(?:[\t\r]|^)\"", re.MULTILINE)
_PATH = re.compile(r"\b[A-Za-z]:\\(?!\\)")


class Escapes(Enum):
    """Whether a table's backslashes stand for something else."""

    NONE = "none"
    PERHAPS = "perhaps"
    SURELY = "surely"


def escapes_of(lines: Sequence[str]) -> Escapes:
    """Judge the first lines of a table whose cells stand between tabs."""
    text = "".join(lines)
    if "\\" not in text or _ENCLOSED.search(text):
        return Escapes.NONE
    rows = [line for line in lines if not is_end([line.rstrip("\r\n")])]
    cells = [cell for line in rows if "\\" in line for cell in line.rstrip("\r\n").split("\t")]
    words = [cell for cell in cells if cell != _NOTHING]
    if any(_LEFT.search(_ESCAPE.sub("", cell)) or _PATH.search(cell) for cell in words):
        return Escapes.NONE
    null = _NULL.search(text) is not None and any("\\\\" in cell for cell in words)
    surely = len(words) < len(cells) or null or len(rows) < len(lines)
    return Escapes.SURELY if surely else Escapes.PERHAPS


def is_end(cells: Sequence[str]) -> bool:
    r"""Whether a row is the `\.` behind the last one of a COPY."""
    return len(cells) == 1 and cells[0] == r"\."


def unescaped(pieces: Iterable[Block | Record]) -> Iterator[Block | Record]:
    """The same pieces with cells as what they stand for."""
    for piece in pieces:
        if isinstance(piece, Record):
            yield replace(piece, fields={column: _meant(cell) for column, cell in piece.fields.items()})
        elif any("\\" in cell for row in piece.rows for cell in row):
            yield replace(piece, rows=[list(map(_meant, row)) for row in piece.rows])
        else:
            yield piece


def _meant(cell: str) -> str:
    if "\\" not in cell:
        return cell
    return "" if cell == _NOTHING else _ESCAPE.sub(lambda found: _STANDS_FOR[found.group(1)], cell)
