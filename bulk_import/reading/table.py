"""What the rows of one table share, and the signs that a row belongs to something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bulk_import.reading.cells import Dialect
from bulk_import.reading.kinds import TELLING, fits, kind_of
from bulk_import.reading.settled import Reading
from bulk_import.reading.titles import name_columns
from bulk_import.wording import fold

_UNIT = re.compile(
    r"[(\[<].*[)\]>]|:?[-=+]{2,}:?|(?:str(?:ing)?|text|varchar|char|int(?:eger)?|number|numeric|float|decimal|date|datetime|timestamp|bool(?:ean)?)",
    re.IGNORECASE,
)
TOTAL = re.compile(
    r"(?:(?:(?:grand|sub)[ -]?)?totals?|sums?|summe|gesamt(?:summe)?|somme|totale|suma|count|anzahl):?", re.IGNORECASE
)

LOOKS_LIKE_TOTAL = "the row looks like a total, not a customer; remove it, or leave it be"
NAMES_UNITS = "the row names units or types, not a customer; remove it, or leave it be"
DRAWS_LINE = "the row only draws a line; remove it, or leave it be"
REPEATS_HEADER = "the row repeats the header; remove it, or leave it be"
ENDS_COPY = "the row is the mark with which PostgreSQL's COPY ends, not a customer; remove it, or leave it be"
NO_CUSTOMER = frozenset({LOOKS_LIKE_TOTAL, NAMES_UNITS, DRAWS_LINE, REPEATS_HEADER, ENDS_COPY})
"""Why a row that is read whole is nobody's."""


@dataclass(frozen=True, slots=True)
class Table:
    """How cells are told apart, the columns, and what their cells usually look like; `cells` as in a `Reading`."""

    dialect: Dialect
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    encoding: str
    row_ending: str = "LF"
    cells: int = 0

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return len(self.columns)

    def lacks_one(self, cells: Sequence[str]) -> bool:
        """Whether a row as wide as the table ends with the delimiter that all others have behind the last column.

        Then a delimiter is missing before, and the cells behind that would be read under wrong columns.
        """
        return self.width <= len(cells) < self.cells and not cells[self.width - 1].strip()

    def is_blank(self, line: str) -> bool:
        """Whether a line holds nothing; blanks alone are nothing unless they could be a cell or a delimiter."""
        text = line.rstrip("\r\n")
        if self.width == 1 or not text:
            return text in ("", "\x1a")
        return not text.strip(" \t\x1a".replace(self.dialect.delimiter, ""))


def trimmed(cells: list[str], width: int) -> list[str]:
    """The cells without empty ones beyond the last column: they hold nothing."""
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def table_of(reading: Reading) -> Table:
    """The table that a settled reading describes."""
    dialect = Dialect(reading.delimiter, reading.quote, reading.escape)
    ending = reading.row_ending or reading.line_ending
    return Table(dialect, reading.columns, reading.kinds, reading.encoding, ending, reading.cells)


def looks_like_units(cells: Sequence[str]) -> bool:
    """Whether the row below a header names units or types (`(EUR)`, `[text]`, `varchar`) or is only ruled (`---`)."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    tells = any(cell[0] not in "([<" or any(map(str.isalnum, cell)) for cell in filled)  # `[]` alone names nothing
    return len(filled) > 1 and tells and all(map(_UNIT.fullmatch, filled))


def is_ruled(cells: Sequence[str]) -> bool:
    """Whether a row only draws a line (`---,---`), as above a total."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) > 1 and all(len(cell) > 1 and not cell.strip("-=_") for cell in filled)


def looks_like_total(cells: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether a row sums up a table of addresses: it begins with a word like `Total` and has no address itself."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    addresses = [cell for cell, kind in zip(cells, kinds, strict=False) if kind == "email"]
    return TOTAL.fullmatch(first) is not None and bool(addresses) and not any("@" in cell for cell in addresses)


class SecondTable:
    """Notices that another table begins below the first, so that its rows are not read under wrong columns.

    One begins after a blank line with a row that could be a header and cannot be a row of the first table; a row that
    fits the first table again ends it. One begins as well, as where files were put together, with a row that surely
    names other columns, or the same in another order; then only the first header ends it.
    """

    def __init__(self, table: Table, *, has_header: bool) -> None:
        self._table = table
        self._folded = list(map(fold, table.columns)) if has_header else []
        self._header: Sequence[str] = ()
        self._line = 0
        self._named = False  # whether the header at hand surely is one

    @property
    def active(self) -> bool:
        """Whether the rows at hand belong to the second table."""
        return self._line > 0

    def problem(self, line: int, cells: Sequence[str], after_blank: bool, *, is_first: bool) -> str | None:
        """Why the row on *line* is not one of the first table's, None when it may be; *is_first* is its first row."""
        named = self.names_others(cells, is_first=is_first)
        if named or (after_blank and self._is_other_header(cells)):
            self._header, self._line, self._named = cells, line, named
        elif self.active and self._is_back(cells):
            self._line = 0
        if not self.active:
            return None
        return f"a second table seems to begin on line {self._line}; give it a file of its own"

    def names_others(self, cells: Sequence[str], *, is_first: bool) -> bool:
        """Whether a row surely names columns, and not the table's own; its first row may say what they are called."""
        if not self._folded or "email" not in self._table.kinds or not name_columns(cells):
            return False
        folded = [name for cell in cells if (name := fold(cell))]
        return folded != self._folded and (not is_first or sorted(folded) == sorted(self._folded))

    def _is_other_header(self, cells: Sequence[str]) -> bool:
        filled = [cell for cell in cells if cell.strip()]
        if tuple(cells) == self._table.columns:
            return False
        if len(filled) < 2 or len(filled) < len(cells) or any(kind_of(cell) in TELLING for cell in filled):
            return False
        return any(self._table.kinds) or len(cells) != self._table.width

    def _is_back(self, cells: Sequence[str]) -> bool:
        """Whether a row can only belong to the first table, or is its header once more."""
        if self._named:
            return list(map(fold, cells)) == self._folded
        return len(cells) == self._table.width != len(self._header) and (
            not any(self._table.kinds) or fits(cells, self._table.kinds)
        )
