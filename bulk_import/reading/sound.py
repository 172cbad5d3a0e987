"""Rows of a delimited text that need no closer look: read at once where nothing about them is doubtful."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from bulk_import.reading.damage import readable
from bulk_import.reading.lines import bare_lines, holds_other_ends, is_clean, split_lines
from bulk_import.reading.settled import Reading
from bulk_import.reading.table import Table, is_ruled, looks_like_total
from bulk_import.reading.titles import name_columns
from bulk_import.wording import fold

if TYPE_CHECKING:
    from _csv import Reader

AtOnce = Callable[[list[str]], list[list[str]] | None]
Alone = Callable[[str], list[str] | None]


class SoundRows:
    """How the lines of one text become cells as long as they are sound; None wherever they may not be."""

    def __init__(self, reading: Reading, table: Table) -> None:
        self._reading = reading
        self._table = table
        self._header = list(reading.columns) if reading.header else None
        self._folded = list(map(fold, reading.columns)) if all(map(fold, reading.columns)) else None
        self._email = reading.kinds.index("email") if "email" in reading.kinds else None
        delimiter, quote = reading.delimiter, reading.quote
        self._csv_can = quote is not None and len(delimiter) == 1 and delimiter not in (quote, "\\")
        self._quote = quote or ""
        self._well_quoted = _well_quoted(delimiter, quote).fullmatch if self._csv_can else re.compile("").fullmatch
        # csv takes a quote after blanks for an ordinary character; people mean it as a quote.
        blanks = " +" if delimiter.strip(" ") else "(?!)"
        self._blank_quotes = False  # whether the chunk at hand holds any
        self._blank_quote = re.compile(f"(?:^|{re.escape(delimiter)}){blanks}{re.escape(quote or '')}").search

    def ways(self, text: str) -> tuple[list[str], AtOnce, Alone]:
        """The lines of a chunk with the fastest ways that read a stretch of them, and one alone, right."""
        reading = self._reading
        escaped = reading.escape == "backslash" and "\\" in text
        quoted = reading.quote is not None and reading.quote in text
        if escaped or not is_clean(text, reading.delimiter) or (quoted and not self._csv_can):
            return split_lines(text), _none_at_once, self._unusual
        if not quoted and holds_other_ends(text, self._table.row_ending):
            return split_lines(text), self._ended_cells, self._unusual
        if not quoted:
            return bare_lines(text), self._plain_cells, self._plain
        self._blank_quotes = f" {reading.quote}" in text
        return split_lines(text), self._quoted_cells, self._quoted

    def _plain_cells(self, lines: list[str]) -> list[list[str]] | None:
        """The cells of lines without quotes, None unless every line is a sound record."""
        delimiter = self._reading.delimiter
        rows = [line.split(delimiter) for line in lines]
        return rows if self._are_sound(rows) else None

    def _ended_cells(self, lines: list[str]) -> list[list[str]] | None:
        """The same for lines that still have their ends."""
        return self._plain_cells([line.rstrip("\r\n") for line in lines])

    def _quoted_cells(self, lines: list[str]) -> list[list[str]] | None:
        """The cells of lines with quotes, None unless `csv` finds every line to be a sound record."""
        if self._blank_quotes and any(map(self._blank_quote, lines)):
            return None
        try:
            rows = list(self._csv_reader(lines))
        except csv.Error:
            return None
        sound = len(rows) == len(lines) and self._are_sound(rows) and all(map(self._is_well_quoted, rows, lines))
        return rows if sound else None

    def _is_well_quoted(self, cells: list[str], line: str) -> bool:
        """Whether all quotes of a line are around cells or doubled inside them; `csv` takes others for text in silence."""
        return self._quote not in "".join(cells) or self._well_quoted(line) is not None

    def _are_sound(self, rows: list[list[str]]) -> bool:
        width = self._table.width
        if set(map(len, rows)) != {width} or self._header in rows:
            return False
        if self._table.cells and any(map(self._table.lacks_one, rows)):
            return False
        if self._email is not None and 0 not in map(str.count, map(itemgetter(self._email), rows), repeat("@")):
            return True
        return all(map(self._is_plain_row, rows))

    def _is_plain_row(self, cells: list[str]) -> bool:
        """Whether a row of the table's width holds anything, and is no total and no header."""
        return (
            any(map(str.strip, cells))
            and not looks_like_total(cells, self._table.kinds)
            and not is_ruled(cells)
            and not self.repeats_header(cells)
            and not (self._email is not None and name_columns(cells))
        )

    def _csv_reader(self, lines: Iterable[str]) -> Reader:
        return csv.reader(lines, delimiter=self._reading.delimiter, quotechar=self._reading.quote, strict=True)

    def _plain(self, line: str) -> list[str]:
        return line.split(self._reading.delimiter)

    def _quoted(self, line: str) -> list[str] | None:
        """The cells of one line, None when `csv` does not find it well-formed."""
        if self._blank_quotes and self._blank_quote(line):
            return None
        try:
            cells = next(self._csv_reader([line]), None)
        except csv.Error:
            return None
        return cells if cells is not None and self._is_well_quoted(cells, line) else None

    def _unusual(self, line: str) -> list[str] | None:
        """The cells of a line that holds nothing unusual itself, else None."""
        quote, text = self._reading.quote, line.rstrip("\n").removesuffix("\r")
        if (quote and quote in text) or not text or "\\" in text or not readable(text):
            return None
        return text.split(self._reading.delimiter)

    def is_good(self, cells: list[str]) -> bool:
        """Whether the cells found on one line can be taken as they are."""
        if len(cells) != self._table.width or cells == self._header or self._table.lacks_one(cells):
            return False
        return (self._email is not None and "@" in cells[self._email]) or self._is_plain_row(cells)

    def repeats_header(self, cells: list[str]) -> bool:
        """Whether a row is the header once more, be it in other letters: `E-Mail` below `email`."""
        if self._header is None or cells == self._header:
            return self._header is not None
        return len(cells) == len(self._header) and list(map(fold, cells)) == self._folded


def _well_quoted(delimiter: str, quote: str | None) -> re.Pattern[str]:
    """A line whose quotes are all where they belong."""
    sign, mark = re.escape(quote or ""), re.escape(delimiter)
    cell = f"(?:{sign}[^{sign}]*+(?:{sign}{sign}[^{sign}]*+)*+{sign}|[^{sign}{mark}\r\n]*+)"
    return re.compile(f"{cell}(?:{mark}{cell})*+[\r\n]*")


def _none_at_once(_lines: list[str]) -> None:
    return None
