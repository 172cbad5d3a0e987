"""Quotes in cells that are not quoted: ordinary text, or what is left of a quoted cell whose other quote is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Loose:
    """An unquoted cell that holds quotes: its index, its text, and what stands behind it on its physical line."""

    index: int
    cell: str
    behind: str


class Stray(Enum):
    """What a loose quote is taken for."""

    TEXT = "text"
    OPENS = "opens"
    CLOSES = "closes"
    MAY_CLOSE = "may close"


def stray_of(loose: Loose, quote: str, delimiter: str) -> Stray:
    """Judge the quotes of one unquoted cell.

    `TEXT`: no other reading of the row has other cells. `OPENS`: read as a quote, one would enclose a delimiter and close
    properly. `CLOSES`: the cell ends like a quoted one with doubled quotes inside, only its first quote is missing.
    `MAY_CLOSE`: so does a cell that ends with its only quote, which may as well be inches.
    """
    inner = loose.cell.rstrip()
    if inner.endswith(quote) and _is_quoted_without_its_first(inner, quote):
        return Stray.CLOSES if quote * 2 in inner else Stray.MAY_CLOSE
    if loose.cell.count(quote) % 2 and not inner.endswith(quote) and _closes(loose.behind, quote, delimiter):
        return Stray.OPENS
    return Stray.TEXT


def _is_quoted_without_its_first(cell: str, quote: str) -> bool:
    """Whether a cell with a quote put before it would be one well-formed quoted cell."""
    return quote not in cell[: -len(quote)].replace(quote * 2, "")


def _closes(behind: str, quote: str, delimiter: str) -> bool:
    """Whether the next quote stands behind a delimiter and before one, or at the line's end: as a closing one does."""
    before, found, after = behind.partition(quote)
    ended = not after.strip() or after.lstrip(" ").startswith(delimiter)
    return bool(found) and delimiter in before and not before.endswith(delimiter) and ended


def strays_of(found: Sequence[Loose], quote: str, delimiter: str) -> dict[Stray, int]:
    """The kinds of loose quotes in a row, each with the index of the first cell that has it."""
    kinds: dict[Stray, int] = {}
    for loose in found:
        kinds.setdefault(stray_of(loose, quote, delimiter), loose.index)
    return kinds
