"""What is only known once a source was read to its end: counted on the way, then said aloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bulk_import.reading.settled import Notice

Remark = Literal["blank-rows", "stray-quotes", "typographic-quotes", "rows-in-cells"]

_SENTENCES: dict[Remark, tuple[str, str]] = {
    "blank-rows": (
        "1 line holds only delimiters, quotes or blanks; skipped like a blank line: line {line}.",
        "{count} lines hold only delimiters, quotes or blanks; skipped like blank lines, first on line {line}.",
    ),
    "stray-quotes": (
        "1 row holds quotes inside a cell, read as text: line {line}.",
        "{count} rows hold quotes inside cells, read as text, first on line {line}.",
    ),
    "typographic-quotes": (
        "1 cell stands between typographic quotes, which are part of its text: line {line}.",
        "{count} cells stand between typographic quotes, which are part of their text, first on line {line}.",
    ),
    "rows-in-cells": (
        "1 row has a quoted cell with lines inside that look like rows, line {line}; see whether a quote is missing there.",
        "{count} rows have a quoted cell with lines inside that look like rows, first on line {line}; see whether a quote "
        "is missing there.",
    ),
}


@dataclass(slots=True)
class Remarks:
    """How often each thing worth saying came up, and the physical line where it first did."""

    _seen: dict[Remark, tuple[int, int]] = field(default_factory=dict)

    def note(self, remark: Remark, line: int, count: int = 1) -> None:
        """Count one more, or several, found from a physical line on."""
        before, first = self._seen.get(remark, (0, line))
        self._seen[remark] = before + count, first

    def notices(self) -> tuple[Notice, ...]:
        """One sentence for each thing that came up."""
        return tuple(
            Notice(remark, _SENTENCES[remark][count > 1].format(count=f"{count:,}", line=line))
            for remark, (count, line) in self._seen.items()
        )
