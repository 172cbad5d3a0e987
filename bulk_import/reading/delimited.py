"""Delimited text to records: whatever reads at once is taken fast, the rest is looked at record by record."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bulk_import.errors import SourceError
from bulk_import.model import Record
from bulk_import.reading.cells import split_record
from bulk_import.reading.damage import Verdict, judge, readable
from bulk_import.reading.lines import is_clean, split_lines
from bulk_import.reading.settled import Reading
from bulk_import.reading.table import SecondTable, Table, looks_like_units, table_of

TOLERATED = 5
"""Undecodable rows that never stop a reading, however few rows there are."""


_WALK = 1000  # lines that a new csv reader may walk over before it is cheaper to drop them


class DelimitedRows:
    """The records of one delimited text, in one pass."""

    def __init__(self, texts: Iterator[str], reading: Reading, path: Path) -> None:
        self._texts = texts
        self._reading = reading
        self._table: Table = table_of(reading)
        self._header = list(reading.columns) if reading.header else None
        self._path = path
        self._lines: list[str] = []  # the window: physical lines with their ends
        self._line = 1  # the physical line that self._lines[0] is
        self._number = 0
        self._undecodable = 0
        self._after_blank = False
        self._easy = False  # nothing about the rows before asks for a closer look at the next one
        self._second = SecondTable(self._table)
        delimiter, quote = reading.delimiter, reading.quote
        self._csv_can = quote is not None and len(delimiter) == 1 and delimiter not in (quote, "\\")
        # csv takes a quote after a blank for an ordinary character; people mean it as a quote.
        self._blank_quote = f"{delimiter} {quote}" if quote and delimiter.strip(" ") else "\n\n\n"

    def records(self) -> Iterator[Record]:
        """Every record in order; damaged ones carry a problem."""
        text = self._below_header()
        while text is not None:
            yield from self._chunk(text)
            self._check_encoding()
            text = next(self._texts, None)

    def _chunk(self, text: str) -> Iterator[Record]:
        """The records of a chunk, by the fastest way that reads it right."""
        reading = self._reading
        bare_cr = "\r" in text and reading.line_ending != "CR" and text.count("\r") != text.count("\r\n")
        escaped = reading.escape == "backslash" and "\\" in text
        if bare_cr or escaped or not is_clean(text, reading.delimiter):
            return self._careful(text)
        if reading.quote is None or reading.quote not in text:
            return self._plain(text)
        return self._quoted(text) if self._csv_can else self._careful(text)

    def _plain(self, text: str) -> Iterator[Record]:
        """A chunk without quotes: every line is a record."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        columns, width, delimiter, header = (
            self._reading.columns,
            self._table.width,
            self._reading.delimiter,
            self._header,
        )
        self._lines = text.split("\n")
        if not self._lines[-1]:
            self._lines.pop()
        for at, row in enumerate(self._lines):
            cells = row.split(delimiter)
            if len(cells) == width and row and cells != header and self._easy:
                self._number += 1
                yield Record(self._number, self._line + at, dict(zip(columns, cells, strict=True)))
            elif (record := self._judged(at)[0]) is not None:
                yield record
        self._forget(len(self._lines))

    def _quoted(self, text: str) -> Iterator[Record]:
        """A chunk with quotes: `csv` takes what is well-formed, one record after another."""
        self._lines = split_lines(text)
        columns, at = self._reading.columns, 0
        while at < len(self._lines):
            at = first = self._forget(at) if at > _WALK else at
            delimiter, quote = self._reading.delimiter, self._reading.quote
            lines = islice(self._lines, at, None)
            reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
            try:
                for cells in reader:
                    if first + reader.line_num == at + 1 and self._is_good(cells, at):
                        self._number += 1
                        yield Record(self._number, self._line + at, dict(zip(columns, cells, strict=True)))
                        at += 1
                        continue
                    record, at = self._judged(at)
                    if record is not None:
                        yield record
                    if at != first + reader.line_num:
                        break
            except csv.Error:
                record, at = self._judged(at)
                if record is not None:
                    yield record
        self._forget(at)

    def _is_good(self, cells: list[str], at: int) -> bool:
        """Whether the cells that `csv` found on one line can be taken as they are."""
        if len(cells) != self._table.width or cells == self._header or not self._easy:
            return False
        return self._blank_quote not in self._lines[at] and bool(cells[0] or len(cells) > 1)

    def _careful(self, text: str) -> Iterator[Record]:
        """A chunk with something unusual in it: every record is looked at."""
        self._lines = split_lines(text)
        at = 0
        while at < len(self._lines):
            if self._easy and (cells := self._at_once(self._lines[at])) is not None:
                self._number += 1
                yield Record(self._number, self._line + at, dict(zip(self._reading.columns, cells, strict=True)))
                at += 1
                continue
            record, at = self._judged(at)
            if record is not None:
                yield record
        self._forget(at)

    def _at_once(self, line: str) -> list[str] | None:
        """The cells of a line that holds nothing unusual itself, else None."""
        quote, text = self._reading.quote, line.rstrip("\n")
        if (quote and quote in text) or not text or "\\" in text or not readable(text.removesuffix("\r")):
            return None
        cells = text.removesuffix("\r").split(self._reading.delimiter)
        return cells if len(cells) == self._table.width and cells != self._header else None

    def _judged(self, at: int) -> tuple[Record | None, int]:
        """The record at an index of the window (None for a blank line), and the index after it."""
        if self._table.is_blank(self._lines[at]):
            self._after_blank, self._easy = True, False
            return None, at + 1
        verdict = judge(self._line_at, at, self._table)
        return self._record(self._line + at, verdict), at + verdict.lines

    def _record(self, line: int, verdict: Verdict) -> Record:
        self._number += 1
        self._undecodable += verdict.undecodable
        problem = self._second.problem(line, verdict.cells, self._after_blank)
        self._after_blank, self._easy = False, not self._second.active
        if self._number == 1 and problem is None and looks_like_units(verdict.cells):
            problem = "the row names units or types, not a customer"
        if verdict.cells == self._header:
            problem = "the row repeats the header"
        problem = problem or verdict.problem
        pairs = zip(self._reading.columns, verdict.cells, strict=False)
        fields = {column: cell for column, cell in pairs if problem is None or readable(cell)}
        return Record(self._number, line, fields, problem)

    def _line_at(self, index: int) -> str | None:
        """A line of the window, which grows when it must."""
        while index >= len(self._lines):
            text = next(self._texts, None)
            if text is None:
                return None
            self._lines += split_lines(text)
        return self._lines[index]

    def _forget(self, lines: int) -> int:
        """Drop the window's first lines, which were read; the index at which reading goes on."""
        self._line += lines
        del self._lines[:lines]
        return 0

    def _below_header(self) -> str | None:
        """The text after the preamble and the header, None when nothing follows."""
        at = self._reading.skip_lines
        while (line := self._line_at(at)) is not None and self._table.is_blank(line):
            at += 1
        if self._reading.header and line is not None:
            at += split_record(self._line_at, at, self._table.dialect).lines
        self._line_at(at)
        self._forget(min(at, len(self._lines)))
        rest, self._lines = self._lines, []
        return "".join(rest) if rest else next(self._texts, None)

    def _check_encoding(self) -> None:
        bad = self._undecodable
        if bad > TOLERATED and bad > 0.01 * self._number:
            raise SourceError(
                f"{self._path} is not {self._reading.encoding.upper()}: {bad} of its first {self._number} rows hold "
                "bytes that are not; say which encoding it has with --encoding."
            )
