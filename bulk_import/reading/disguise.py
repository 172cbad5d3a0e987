"""Tables that another program took for plain text and changed line by line, which is undone before cells are told apart.

A spreadsheet that had a CSV pasted into its first column writes each line as one quoted cell; a word processor puts
typographic quotes where straight ones were. Lines stay where they are, so line numbers hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from bulk_import.reading.titles import are_titles

Disguise = Literal["", "wrapped", "typographic"]

_MARKS = (",", ";", "\t", "|")
_LOOKED_AT = 120
_WRAPPED = re.compile(r'(?<![^\r\n])"((?:[^"\r\n]|"")*+)"[;,\t]*+(?=[\r\n]|\Z)')
_TYPOGRAPHIC = re.compile(r"(?<![^\r\n,;\t|])[“„]([^“”„\r\n]*+)[”“](?=[\r\n,;\t|]|\Z)")


def disguise_of(lines: Sequence[str]) -> Disguise:
    """What was done to a table of which *lines* are the first, told by its header of known names."""
    filled = [line for line in lines if line.strip()][:_LOOKED_AT]
    first = filled[0] if filled else ""
    if _WRAPPED.match(first):
        return "wrapped" if _is_header(_unwrapped(first)) else ""
    if _TYPOGRAPHIC.match(first):
        return "typographic" if _is_header(_TYPOGRAPHIC.sub(r"\1", first)) else ""
    below = [_unwrapped(line) for line in filled[1:] if _WRAPPED.match(line)]
    marks = {mark: first.count(mark) for mark in _MARKS if first.count(mark)}
    rows = [line for line in below if any(line.count(mark) >= count for mark, count in marks.items())]
    return "wrapped" if rows and len(rows) >= 0.9 * len(filled[1:]) and _is_header(first) else ""


def undone(texts: Iterable[str], disguise: str) -> Iterator[str]:
    """The texts, each of whole lines, as they were before."""
    match disguise:
        case "wrapped":
            return map(_unwrapped, texts)
        case "typographic":
            return map(_straightened, texts)
        case _:
            return iter(texts)


def cells_in_typographic_quotes(text: str) -> Iterator[int]:
    """Where in *text* a cell begins that stands between typographic quotes."""
    if "“" in text or "„" in text:
        yield from (found.start() for found in _TYPOGRAPHIC.finditer(text))


def _is_header(line: str) -> bool:
    return any(are_titles([cell.strip('" \r\n') for cell in line.split(mark)]) for mark in _MARKS)


def _unwrapped(text: str) -> str:
    return _WRAPPED.sub(lambda found: found.group(1).replace('""', '"'), text)


def _straightened(text: str) -> str:
    return _TYPOGRAPHIC.sub(lambda found: '"' + found.group(1).replace('"', '""') + '"', text)
