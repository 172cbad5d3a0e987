"""The ledger's rows as text: columns, order and cells of `export`, and the record of a `row` event (pure).

In CSV for people, a cell that a spreadsheet would run as a formula gets an apostrophe in front; reading it back takes
exactly that apostrophe away (see `formulas`). The map for Stripe is for a program and says its cells as they are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from math import modf
from operator import attrgetter
from typing import Any, Literal

from bulk_import.errors import StoppedEarly
from bulk_import.formulas import defuse
from bulk_import.ledger import Line

What = Literal["map", "failed", "all", "stripe-map"]
Format = Literal["csv", "jsonl"]

ALL_COLUMNS = Line._fields
MAP_COLUMNS = ("row", "source_id", "email", "customer_id")
STRIPE_COLUMNS = ("old_customer_id", "stripe_customer_id")
"""The file that Stripe's migration team takes to attach imported cards to customers (Stripe facts, section 9)."""

ADDED_COLUMNS = ("_ledger", "_row", "_status", "_error_code", "_error_param", "_error")
"""What `--what failed` puts behind the original columns."""

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell."""

_SUSPICIOUS = frozenset((*DANGEROUS, "'"))
_map_of = attrgetter(*MAP_COLUMNS)
_to_json = json.JSONEncoder(ensure_ascii=False).encode

Failures = Callable[[], Iterable[tuple[Line, Mapping[str, Any]]]]


def default_format(what: What) -> Format:
    """CSV for people, but JSON Lines for everything about every row."""
    return "jsonl" if what == "all" else "csv"


def record_of(line: Line) -> dict[str, Any]:
    """One row as `--what all` and the `row` event tell it."""
    return dict(zip(ALL_COLUMNS, _all_cells(line), strict=True))


def _all_cells(line: Line) -> tuple[Any, ...]:
    return (*line[:-1], moment(line.settled_at))


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    if seconds is None:
        return None
    fraction, whole = modf(seconds)
    micros = round(fraction * 1e6)
    return f"{_second(int(whole))}.{micros // 1000:03d}Z" if 0 <= micros < 10**6 else _moment(seconds)


# Rows are settled by the hundred in one and the same second, and writing a date out costs as much as the rest of a row.
@lru_cache(maxsize=16)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exported(what: What, form: Format, lines: Iterable[Line], failures: Failures, token: str) -> Iterator[str]:
    """The export line by line, each with its end; CSV begins with a header.

    *failures* is called once for JSON Lines and twice for CSV, whose columns must be known before its first row.
    Raises `StoppedEarly` when the ledger changes in between.
    """
    match what:
        case "all":
            yield from _table(form, ALL_COLUMNS, map(_all_cells, lines))
        case "map":
            yield from _table(form, MAP_COLUMNS, (_map_of(line) for line in lines if line.customer_id is not None))
        case "stripe-map":
            known = (line for line in lines if line.customer_id is not None and line.source_id is not None)
            yield from _table(form, STRIPE_COLUMNS, ((line.source_id, line.customer_id) for line in known), csv_text)
        case "failed":
            records = (failed_record(line, original, token) for line, original in failures())
            columns = failed_columns(original for _, original in failures()) if form == "csv" else ()
            yield from _written(form, columns, records)


def failed_columns(originals: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The original columns in the order in which they are first seen, then ours."""
    seen: dict[str, None] = {}
    for original in originals:
        seen.update(dict.fromkeys(original))
    return (*(name for name in seen if name not in ADDED_COLUMNS), *ADDED_COLUMNS)


def failed_record(line: Line, original: Mapping[str, Any], token: str) -> dict[str, Any]:
    """A row to be mended: its fields as they were read, and what was wrong with it."""
    ours = (token, line.row, line.status, line.error_code, line.error_param, _why(line))
    kept = {name: value for name, value in original.items() if name not in ADDED_COLUMNS}
    return {**kept, **dict(zip(ADDED_COLUMNS, ours, strict=True))}


def csv_cell(value: Any) -> str:
    """A value as text for a spreadsheet: nothing for None, JSON for what is nested, and no formula."""
    if value is None:
        return ""
    if isinstance(value, str):
        return defuse(value)
    return defuse(str(value) if type(value) is int else _to_json(value))


def csv_line(cells: Iterable[Any]) -> str:
    """One line of CSV with its end."""
    # The module quotes a lone CR only if CR is part of its own line end, so that end is written and then replaced.
    # Most cells are numbers, or texts that begin harmlessly: they are told apart without a call.
    _SINK.row(
        [
            cell if (type(cell) is str and cell[:1] not in _SUSPICIOUS) or (type(cell) is int and cell >= 0)
            else csv_cell(cell)
            for cell in cells
        ]
    )  # fmt: skip
    return _SINK.text[:-2] + "\n"


def csv_text(cells: Iterable[str]) -> str:
    """One line of CSV for a program, with its end: the cells as they are."""
    _SINK.row(cells)
    return _SINK.text[:-2] + "\n"


def _table(
    form: Format,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    line_of: Callable[[Sequence[Any]], str] = csv_line,
) -> Iterator[str]:
    """Rows of texts, whole numbers and nothing, all with the same columns, which need not be looked up one by one."""
    if form == "jsonl":
        # The names are the same on every line, so the line is one shape to fill; half the work of encoding a dict.
        shape = "{" + ", ".join(f"{_to_json(name)}: %s" for name in columns) + "}\n"
        for row in rows:
            yield shape % tuple(
                ["null" if cell is None else encode_basestring(cell) if type(cell) is str else cell for cell in row]
            )
    else:
        yield csv_line(columns)
        yield from map(line_of, rows)


def _written(form: Format, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if form == "jsonl":
        yield from (_to_json(record) + "\n" for record in records)
        return
    yield csv_line(columns)
    known = frozenset(columns)
    for record in records:
        if not record.keys() <= known:
            raise StoppedEarly("the ledger changed while it was being exported; run the same export again")
        yield csv_line(record.get(name) for name in columns)


def _why(line: Line) -> str | None:
    if line.error_message is None and line.duplicate_of is not None:
        return f"has the e-mail of row {line.duplicate_of}, which failed"
    return line.error_message


class _Sink:
    """Keeps the last line that the csv module wrote; a writer for each line would cost more than the line."""

    def __init__(self) -> None:
        self.text = ""
        self.row = csv.writer(self, lineterminator="\r\n").writerow

    def write(self, text: str) -> int:
        """Keep *text*, which is one whole line."""
        self.text = text
        return len(text)


_SINK = _Sink()
