"""Delimited text to records: whatever reads at once is taken fast, the rest is looked at record by record."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path

from bulk_import.errors import SourceError
from bulk_import.model import Block, Record
from bulk_import.reading.cells import split_record
from bulk_import.reading.cutshort import Rest, begun_above, cut_short, rest_of
from bulk_import.reading.damage import Verdict, by_itself, closes_nothing, judge, readable, row_or_rows
from bulk_import.reading.disguise import cells_in_typographic_quotes
from bulk_import.reading.escapes import is_end, unescaped
from bulk_import.reading.lines import LIMIT, split_lines
from bulk_import.reading.remarks import Remarks
from bulk_import.reading.settled import Reading
from bulk_import.reading.sound import Alone, AtOnce, SoundRows
from bulk_import.reading.table import (
    DRAWS_LINE,
    ENDS_COPY,
    LOOKS_LIKE_TOTAL,
    NAMES_UNITS,
    REPEATS_HEADER,
    SecondTable,
    Table,
    is_ruled,
    looks_like_total,
    looks_like_units,
    table_of,
)

TOLERATED = 5
"""Undecodable rows that never stop a reading, however few rows there are."""

STRETCH = 500
"""Lines that are tried at once; few enough that one damaged row costs little and the cells of all take little room."""

_MARKED = re.compile("(?<![^\r\n])\ufeff+")


class DelimitedRows:
    """The records of one delimited text, in one pass."""

    def __init__(self, texts: Iterator[str], reading: Reading, path: Path, remarks: Remarks | None = None) -> None:
        self._texts = map(_without_marks, texts)
        self._reading = reading
        self._table: Table = table_of(reading)
        self._sound = SoundRows(reading, self._table)
        self._path = path
        self._remarks = remarks or Remarks()
        self._lines: list[str] = []  # the window: physical lines with their ends
        self._above: list[str] = []  # the last lines that were dropped from it
        self._doubt = 0, Rest.NO  # whether the record of a number is the rest of the one above
        self._line = 1  # the physical line that self._lines[0] is
        self._number = 0
        self._undecodable = 0
        self._after_blank = False
        self._open = 0  # the line where a quote was left open last
        self._undecided = range(0)  # the lines that are one row or a row each
        self._easy = False  # nothing about the rows before asks for a closer look at the next one
        self._second = SecondTable(self._table, has_header=reading.header)

    def records(self) -> Iterator[Record]:
        """Every record in order; damaged ones carry a problem."""
        for piece in self.pieces():
            if isinstance(piece, Block):
                yield from piece.records()
            else:
                yield piece

    def pieces(self) -> Iterator[Block | Record]:
        """The same in blocks wherever nothing asks for a closer look."""
        pieces = cut_short(begun_above(self._pieces(), self._rest), self._rest)
        return unescaped(pieces) if self._reading.escape == "text" else pieces

    def _pieces(self) -> Iterator[Block | Record]:
        text = self._below_header()
        while text is not None:
            if not text.isascii():
                self._look_for_typographic_quotes(text)
            yield from self._taken(*self._sound.ways(text))
            self._check_encoding()
            text = next(self._texts, None)

    def _look_for_typographic_quotes(self, text: str) -> None:
        if places := list(cells_in_typographic_quotes(text)):
            line = self._line + len(split_lines(text[: places[0]] + "x")) - 1
            self._remarks.note("typographic-quotes", line, len(places))

    def _taken(self, lines: list[str], at_once: AtOnce, alone: Alone) -> Iterator[Block | Record]:
        """A chunk a stretch of lines at a time; a stretch that is not sound throughout is looked at line by line."""
        self._lines = lines
        at = 0
        while at < len(self._lines):
            end = min(at + STRETCH, len(self._lines))
            if self._easy and (rows := at_once(self._lines[at:end])) is not None:
                at = end
                yield from self._block(rows, at)
            else:
                at = yield from self._one_by_one(at, end, alone)
        self._forget(at)

    def _one_by_one(self, at: int, end: int, alone: Alone) -> Generator[Block | Record, None, int]:
        """Sound lines that follow each other are one block; every other record is judged by itself."""
        rows: list[list[str]] = []
        while at < min(end, len(self._lines)):
            cells = alone(self._lines[at]) if self._easy else None
            if cells is not None and self._sound.is_good(cells):
                rows.append(cells)
                at += 1
                continue
            yield from self._block(rows, at)
            rows = []
            record, at = self._judged(at)
            if record is not None:
                yield record
        yield from self._block(rows, at)
        return at

    def _block(self, rows: list[list[str]], end: int) -> Iterator[Block]:
        """The block of sound rows that ends before an index of the window."""
        if rows:
            block = Block(self._number + 1, self._line + end - len(rows), self._reading.columns, rows)
            self._number += len(rows)
            yield block

    def _judged(self, at: int) -> tuple[Record | None, int]:
        """The record at an index of the window (None for a blank line), and the index after it."""
        if self._table.is_blank(self._lines[at]):
            self._after_blank, self._easy = True, False
            return None, at + 1
        undecided = self._line + at in self._undecided
        verdict = by_itself(self._lines[at], self._table) if undecided else judge(self._line_at, at, self._table)
        if verdict.blank:
            self._remarks.note("blank-rows", self._line + at)
            self._after_blank, self._easy = True, False
            return None, at + verdict.lines
        if verdict.overlong:
            record = self._record(self._line + at, verdict)
            return record, self._behind_cell(at, verdict.lines)
        above = [*self._above, *self._lines[max(0, at - 2) : at]][-2:]
        found = Rest.NO if self._after_blank or verdict.lines > 1 else rest_of(above, verdict.cells, self._table)
        record = self._record(self._line + at, verdict)
        self._doubt = record.number, found
        return record, at + verdict.lines

    def _behind_cell(self, start: int, lines: int) -> int:
        """The index behind a quoted cell that is too long to be kept; what was read of it is dropped on the way."""
        quote, line = self._table.dialect.quote or "", self._line + start
        at = start + lines
        while (text := self._line_at(at)) is not None:
            marks = text.replace("\\" + quote, "").replace(quote * 2, "")
            at = self._forget(at + 1) if at > STRETCH else at + 1
            if quote not in marks:
                continue
            behind = marks.partition(quote)[2].strip()
            if behind and not behind.startswith(self._table.dialect.delimiter.strip(" ")):
                break
            return at
        raise SourceError(
            f"{self._path} has a quote on line {line} that is not closed within {LIMIT} characters, nor properly later; "
            "close it, or say how cells are quoted with --quote."
        )

    def _rest(self, record: Record) -> Rest:
        """Whether the record that was judged last is the rest of the row above it."""
        number, found = self._doubt
        return found if number == record.number else Rest.NO

    def _record(self, line: int, verdict: Verdict) -> Record:
        self._number += 1
        self._undecodable += verdict.undecodable
        problem = self._second.problem(line, verdict.cells, self._after_blank, is_first=self._number == 1)
        # A line of its own between a blank one and a header is the title of another table.
        self._after_blank = self._after_blank and len(verdict.cells) < self._table.width
        self._undecided = range(line, line + verdict.undecided) if verdict.undecided else self._undecided
        self._easy = not self._second.active and not self._after_blank and line + 1 not in self._undecided
        if self._number == 1 and problem is None and looks_like_units(verdict.cells):
            problem = NAMES_UNITS
        if problem is None and is_ruled(verdict.cells):
            problem = DRAWS_LINE
        if problem is None and looks_like_total(verdict.cells, self._table.kinds):
            problem = LOOKS_LIKE_TOTAL
        if self._sound.repeats_header(verdict.cells):
            problem = REPEATS_HEADER
        if self._reading.escape == "text" and is_end(verdict.cells):
            problem = ENDS_COPY
        problem = problem or verdict.problem or self._between(line) or self._closing(line, verdict)
        self._open = line if verdict.opens else self._open
        self._remark(line, verdict, problem)
        lost = verdict.lost if problem is None else ()
        pairs = zip(self._reading.columns, verdict.cells, strict=False)
        fields = {column: cell for column, cell in pairs if problem is None or readable(cell)}
        return Record(self._number, line, fields | {column: "" for column, _ in lost}, problem, lost)

    def _between(self, line: int) -> str | None:
        """Why a line cannot be read that is a row, or a piece of the cell that a quote opens above it."""
        return row_or_rows(self._undecided) if line in self._undecided else None

    def _closing(self, line: int, verdict: Verdict) -> str | None:
        """Why a cell that ends with a quote is no text, when one was left open on a row above."""
        if verdict.closes is None or not self._open:
            return None
        opened, self._open = self._open, 0
        return f"{closes_nothing(self._table.columns[verdict.closes])}; perhaps the one left open on line {opened}"

    def _remark(self, line: int, verdict: Verdict, problem: str | None) -> None:
        if problem is None and verdict.stray:
            self._remarks.note("stray-quotes", line)
        if problem is None and verdict.rows_within:
            self._remarks.note("rows-in-cells", line)

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
        self._above = [*self._above, *self._lines[max(0, lines - 2) : lines]][-2:]
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


def _without_marks(text: str) -> str:
    """A text without the byte order marks that stand at its lines' beginnings, as where files were put together."""
    return _MARKED.sub("", text) if "\ufeff" in text else text
