"""A JSON array (or objects one after another), read element by element as a stream, be it one line of any length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_import.errors import SourceError
from bulk_import.model import Record
from bulk_import.reading.jsonl import read_object
from bulk_import.reading.lines import LIMIT, never_inside_crlf, split_lines

_OUTSIDE = re.compile(r'["{}\[\],]')
_CLOSING = {"]": "[", "}": "{"}
_DEEPEST = 10_000
_INSIDE = re.compile(r'["\\\r\n]')


@dataclass(frozen=True, slots=True)
class Element:
    """One element as text, with the line on which it begins."""

    line: int
    text: str
    overlong: bool
    apart: bool

    def read(self) -> tuple[dict[str, Any], str | None]:
        """Its fields, and the reason when they could not be read."""
        if self.overlong:
            return {}, f"the element is longer than {LIMIT} characters; split or remove it"
        fields, problem = read_object(self.text)
        return fields, problem or (None if self.apart else "no comma stands before this element; add one")


@dataclass(slots=True)
class _Scan:
    """Where the scan stands: how deep, inside a text or not, and the element so far.

    `base` is the depth at which elements stand: 1 in an array, 0 for objects one after another.
    `apart` says that a comma (or the array's beginning) stands before the element, `escaped` that the piece before ended
    with the backslash of an escape.
    """

    base: int
    open: list[str] = field(default_factory=list)
    in_text: bool = False
    escaped: bool = False
    closed: bool = False
    apart: bool = True
    parts: list[str] = field(default_factory=list)
    size: int = 0
    line: int = 0

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self.open)

    def bracket(self, mark: str, path: Path, line: int) -> None:
        """Open or close a bracket; one that closes nothing damages its element and changes no depth."""
        if mark in _CLOSING:
            if self.open and self.open[-1] == _CLOSING[mark]:
                self.open.pop()
        elif mark in "[{":
            self.open.append(mark)
        if len(self.open) > _DEEPEST:
            raise SourceError(
                f"{path} nests deeper than {_DEEPEST} brackets on line {line}; it is no list of customers."
            )

    def take(self, text: str, line: int) -> None:
        """Add a piece to the element; of an element beyond the limit only the size is kept."""
        if not self.parts and not (text := text.lstrip()):
            return
        if not self.parts:
            self.line = line
        self.size += len(text)
        if self.size <= LIMIT:
            self.parts.append(text)

    def element(self) -> Element | None:
        """The finished element, None when there is nothing."""
        text = "".join(self.parts).strip().lstrip("\ufeff")  # which stands where files were put together
        found = Element(self.line, text, self.size > LIMIT, self.apart) if text or self.size > LIMIT else None
        self.parts, self.size = [], 0
        return found


def read_json_array(texts: Iterator[str], path: Path) -> Iterator[Record]:
    """One record for each element; `SourceError` when the file ends before its array does, or goes on after it."""
    for number, element in enumerate(_elements(texts, path), 1):
        fields, problem = element.read()
        yield Record(number, element.line, fields, problem)


def _elements(texts: Iterator[str], path: Path) -> Iterator[Element]:
    scan: _Scan | None = None
    line, ended = 0, True
    for text in never_inside_crlf(texts):
        for row in split_lines(text):
            line, ended = line + ended, row.endswith(("\n", "\r"))
            if scan is None:
                if not row.strip():
                    continue
                scan, row = _begin(row)
            yield from _scanned(scan, row, line, path)
    if scan is None:
        return
    if (scan.base and not scan.closed) or scan.depth > scan.base:
        where = f"the element that begins on line {scan.line} is not finished" if scan.parts else "it is not closed"
        raise SourceError(f"{path} ends inside its JSON ({where}); export or transfer it again.")
    if last := scan.element():
        yield last


def _begin(row: str) -> tuple[_Scan, str]:
    """The scan of an array from behind its bracket, or of objects one after another."""
    row = row.lstrip()
    return (_Scan(base=1, open=["["]), row[1:]) if row.startswith("[") else (_Scan(base=0), row)


def _scanned(scan: _Scan, row: str, line: int, path: Path) -> Iterator[Element]:
    """The elements that end in this line, or piece of one."""
    begun, place = 0, int(scan.escaped)
    scan.escaped = False
    while found := (_INSIDE if scan.in_text else _OUTSIDE).search(row, place):
        mark, place = found.group(), found.end()
        if scan.in_text:
            # A text cannot go on over a line end: what was left open ends here, and damages its element only.
            place += mark == "\\"
            scan.in_text, scan.escaped = mark == "\\", place > len(row)
            continue
        scan.in_text = mark == '"'
        before = scan.depth
        scan.bracket(mark, path, line)
        if not _ends(scan, mark, before):
            continue
        _refuse_after_end(scan, path, line)
        inside = mark in "}]" and scan.depth == scan.base
        scan.take(row[begun : place if inside else found.start()], line)
        begun = place
        if element := scan.element():
            yield element
        scan.apart = mark == "," or not scan.base
        if scan.depth < scan.base:
            scan.closed, scan.open = True, ["["]
    if scan.closed and row[begun:].strip():
        _refuse_after_end(scan, path, line)
    scan.take(row[begun:], line)


def _ends(scan: _Scan, mark: str, before: int) -> bool:
    """Whether *mark* ends an element: a comma between two, its own last bracket, or the array's."""
    if mark == ",":
        return scan.depth == scan.base == 1
    return scan.depth < before and scan.depth <= scan.base


def _refuse_after_end(scan: _Scan, path: Path, line: int) -> None:
    if scan.closed:
        raise SourceError(f"{path} goes on after its JSON array has ended, on line {line}; give one array a file.")
