"""One delimited record, split with care: what `csv` refuses is looked at here, quote by quote."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from bulk_import.reading.lines import LIMIT, OVERLONG
from bulk_import.reading.strays import Loose

Line = Callable[[int], str | None]
"""The physical line at an index with its end, None beyond the last."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart: the delimiter (one or more characters), the quote or None, the escape style."""

    delimiter: str
    quote: str | None
    escape: str = "doubled"


@dataclass(frozen=True, slots=True)
class Split:
    """A record as it was split.

    `lines` counts the physical lines it takes. `stray` says that a quote stood where it neither closes
    nor is escaped. `opened` is the line (from the record's first, 0) of a quote that never closed, else None;
    `cells` then holds the cells before it, `rest` what follows the quote on its line, and `overlong` says that its
    cell went on for longer than `LIMIT`. `quoted` counts quoted cells; `loose` are unquoted ones that hold quotes.
    """

    cells: list[str]
    lines: int
    stray: bool = False
    opened: int | None = None
    rest: str = ""
    overlong: bool = False
    quoted: int = 0
    loose: tuple[Loose, ...] = ()


@lru_cache(maxsize=64)
def _patterns(dialect: Dialect) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Where a quoted cell begins, and what may follow its closing quote."""
    quote, delimiter = re.escape(dialect.quote or ""), re.escape(dialect.delimiter)
    blank = "" if dialect.delimiter.strip(" ") == "" else " *"
    return re.compile(f"{blank}{quote}"), re.compile(rf"{blank}(?:({delimiter})|[\r\n]*\Z)")


@lru_cache(maxsize=64)
def _escapable(dialect: Dialect) -> re.Pattern[str]:
    """The next delimiter, or what a backslash makes an ordinary character."""
    kept = "|".join(map(re.escape, filter(None, (dialect.delimiter, dialect.quote, "\\", "\r\n", "\r", "\n"))))
    return re.compile(rf"\\({kept})|{re.escape(dialect.delimiter)}")


def split_record(line: Line, start: int, dialect: Dialect, stop: Callable[[int], bool] | None = None) -> Split:
    """Split the record that starts at line *start*.

    *stop* is asked, once a stray quote was seen, whether the line at an index begins a record of its
    own; the open cell is then given up.
    """
    return _Splitter(line, start, dialect, stop).run()


class _Splitter:
    """The state of one splitting: the line at hand, the place in it, and the cells so far."""

    def __init__(self, line: Line, start: int, dialect: Dialect, stop: Callable[[int], bool] | None) -> None:
        self._line = line
        self._start = start
        self._dialect = dialect
        self._stop = stop
        self._text = line(start) or ""
        self._lines = 1
        self._place = 0
        self._size = len(self._text)
        self._stray = False
        self._overlong = False
        self._loose: list[Loose] = []

    def run(self) -> Split:
        cells: list[str] = []
        quoted, rest = 0, ""
        begins = _patterns(self._dialect)[0] if self._dialect.quote else None
        while True:
            opened = self._lines - 1
            if begins and (opening := begins.match(self._text, self._place)):
                self._place = opening.end()
                rest, quoted = self._text[self._place :], quoted + 1
                cell, more = self._quoted()
            else:
                escaped = self._dialect.escape == "backslash" and "\\" in self._text  # a line end, too
                cell, more = self._plain()
                self._look_for_quotes(len(cells), cell, more, escaped=escaped)
            if cell is None:
                return Split(cells, self._lines, self._stray, opened, rest, self._overlong, quoted, tuple(self._loose))
            cells.append(cell)
            if not more:
                return Split(cells, self._lines, self._stray, quoted=quoted, loose=tuple(self._loose))

    def _look_for_quotes(self, index: int, cell: str, more: bool, *, escaped: bool) -> None:
        """Keep an unquoted cell that holds a quote, unless a backslash on the line where it begins makes it an ordinary one."""
        quote = self._dialect.quote
        if quote and quote in cell and not escaped:
            behind = self._dialect.delimiter + self._text[self._place :]
            self._loose.append(Loose(index, cell, behind if more else ""))

    def _plain(self) -> tuple[str, bool]:
        """A cell without quotes around it, and whether another follows."""
        if self._dialect.escape == "backslash":
            return self._escaped_plain()
        found = self._text.find(self._dialect.delimiter, self._place)
        if found < 0:
            return self._text[self._place :].rstrip("\r\n"), False
        cell, self._place = self._text[self._place : found], found + len(self._dialect.delimiter)
        return cell, True

    def _escaped_plain(self) -> tuple[str, bool]:
        """The same where a backslash makes a delimiter, a quote, a backslash or a line end an ordinary character."""
        marks = _escapable(self._dialect)
        parts: list[str] = []
        while found := marks.search(self._text, self._place):
            parts.append(self._text[self._place : found.start()])
            self._place = found.end()
            kept = found.group(1)
            if kept is None:
                return "".join(parts), True
            if self._place == len(self._text) and kept.endswith(("\r", "\n")) and not self._next_line():
                return "".join([*parts, "\\"]), False
            parts.append(kept)
        return "".join([*parts, self._text[self._place :].rstrip("\r\n")]), False

    def _quoted(self) -> tuple[str | None, bool]:
        """The rest of a quoted cell and whether another follows; None for the cell when it never closes."""
        quote = self._dialect.quote or ""
        closing = _patterns(self._dialect)[1]
        marks = re.compile(f"[{re.escape(quote)}\\\\]" if self._dialect.escape == "backslash" else re.escape(quote))
        parts: list[str] = []
        while True:
            mark = marks.search(self._text, self._place)
            if mark is None:
                parts.append(self._text[self._place :])
                if not self._next_line():
                    return None, False
                continue
            at, following = mark.start(), self._text[mark.end() : mark.end() + 1]
            if mark.group() == "\\":
                kept = "" if following in (quote, "\\", "\r", "\n") else "\\"
                parts += (self._text[self._place : at], kept + following)
                self._place = at + 1 + len(following)
            elif following == quote:
                parts.append(self._text[self._place : at + 1])
                self._place = at + 2
            elif end := closing.match(self._text, at + 1):
                parts.append(self._text[self._place : at])
                self._place = end.end()
                return "".join(parts), end.group(1) is not None
            else:
                self._stray = True
                if self._lines > 1 and self._given_up():
                    return None, False
                parts.append(self._text[self._place : at + 1])
                self._place = at + 1

    def _next_line(self) -> bool:
        """Go on to the next physical line, unless there is none or it cannot belong to this cell."""
        if self._stray and self._stop and self._stop(self._start + self._lines):
            return False
        text = self._line(self._start + self._lines)
        if text is None:
            return False
        self._overlong = self._size + len(text) > LIMIT and not text.startswith(OVERLONG)
        if self._overlong or text.startswith(OVERLONG):
            return False
        self._text, self._place = text, 0
        self._lines += 1
        self._size += len(text)
        return True

    def _given_up(self) -> bool:
        """Whether a line that was already taken into the open cell begins a record of its own."""
        if self._stop is None:
            return False
        return any(self._stop(self._start + index) for index in range(1, self._lines))
