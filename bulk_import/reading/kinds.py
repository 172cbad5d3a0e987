"""What a cell looks like: enough to tell a header from data, and a row from the inside of a cell."""

from __future__ import annotations

import re
from collections.abc import Sequence

_EMAIL = re.compile(r"[^@\s,;|<>\"]+@[^@\s,;|<>\"]+\.[^@\s,;|<>\".]+")
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?[-+]?\d[\d., '’]*(?:[eE][-+]?\d+)?\s?[%€$£]?\)?")
_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?"
)
_CODE = re.compile(r"(?=\S*\d)[\w.:/+#-]+")
_WORDS = re.compile(r"[^\W\d_][\w .'’&()/+-]*")
_LINK = re.compile(r"[a-z]+://\S+")
_SHAPES = (("email", _EMAIL), ("time", _TIME), ("number", _NUMBER))

TELLING = ("email", "number", "time")
"""The kinds that a column's name never has."""


def kind_of(cell: str) -> str:
    """`email`, `time`, `number`, `code` (digits and letters), `link`, `words`, `empty` or `other`."""
    text = cell.strip()
    if not text:
        return "empty"
    for name, pattern in _SHAPES:
        if pattern.fullmatch(text):
            return name
    if _CODE.fullmatch(text):
        return "code"
    if _LINK.fullmatch(text):
        return "link"
    return "words" if _WORDS.fullmatch(text) else "other"


def holds_nothing(cells: Sequence[str]) -> bool:
    """Whether no cell of a row holds anything but blanks, as in the lines that spreadsheets write below a table."""
    return not any(cell.strip(" \t\r\n\xa0") for cell in cells)


def kinds_of(rows: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """For each column the telling kind that its cells share, or ``: one or a tenth may be off, a third of addresses.

    A column of addresses is one whatever a footer or a careless row holds there; dates and numbers are easily mistaken.
    """
    return tuple(_shared([row[column] for row in rows if column < len(row)]) for column in range(width))


def _shared(cells: Sequence[str]) -> str:
    seen = [kind for cell in cells if (kind := kind_of(cell)) != "empty"]
    for kind in TELLING:
        off = len(seen) - seen.count(kind)
        share = 1 / 3 if kind == "email" else 0.1
        if seen and (off <= share * len(seen) or (off == 1 and len(seen) > 4)):
            return kind
    return ""


def fits(cells: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a row has the kinds of its columns: at least one that tells something, and none that differs."""
    telling = 0
    for cell, kind in zip(cells, kinds, strict=False):
        if not kind or not cell.strip():
            continue
        if kind_of(cell) != kind:
            return False
        telling += 1
    return telling > 0
