"""What was asked about a source, what was settled about it, and what is said aloud about both."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

RULES = 3
"""The rules by which rows are told apart and numbered; a reading by other rules would give other numbers."""

FORMATS = ("csv", "tsv", "jsonl", "json", "xlsx")


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the user said about the source; None leaves a choice to detection.

    `header` is False for `--no-header` and True to insist that the first line is one. `quote` may be
    `none` for a file without quoting. `max_bytes` bounds what is read after unpacking.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    skip_lines: int | None = None
    header: bool | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was detected or decided, as a code for programs and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that must stay fixed for a second reading to give the same record numbers.

    `delimiter` and `quote` concern delimited text only; `quote` None means that quotes are ordinary
    characters. `escape` is `doubled`, `backslash` or `text` (see `escapes`). `skip_lines` counts the physical lines above the header
    (or above the first record when there is none). `columns` is empty for JSON until its keys are known.
    `line_ending` is `LF`, `CRLF`, `CR` or `mixed`, `row_ending` how most rows end (empty: as lines do).
    `cells` is how many cells rows have, where a delimiter at each one's end makes them more than the columns, else 0.
    `disguise` names what another program did to the lines (see `disguise`).
    `kinds` holds what each column usually looks like (`email`, `number`, `time`, `code` or ``), which tells
    a row from the inside of a cell where a quote was left open. `rules` is `RULES` as it was when the reading was settled.
    """

    format: str
    encoding: str = "utf-8"
    compression: str | None = None
    delimiter: str = ","
    quote: str | None = '"'
    escape: str = "doubled"
    skip_lines: int = 0
    header: bool = True
    columns: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    line_ending: str = "LF"
    row_ending: str = ""
    max_bytes: int | None = None
    sheet: str | None = None
    disguise: str = ""
    cells: int = 0
    rules: int = RULES

    def to_json(self) -> str:
        """The reading as one line of JSON, for the ledger's job row."""
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Reading:
        """The reading that `to_json` wrote; fields a newer version added are ignored."""
        stored: dict[str, Any] = json.loads(text)
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {"rules": 1} | {name: value for name, value in stored.items() if name in known}
        for name in ("columns", "kinds"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)
