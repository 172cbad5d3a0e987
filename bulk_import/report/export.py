"""The ledger's rows as text: columns, order and cells of `export`, and the record of a `row` event (pure).

In CSV for people, a cell that a spreadsheet would run as a formula gets an apostrophe in front; reading it back takes
exactly that apostrophe away (see `formulas`). The map for Stripe is for a program and says its cells as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from bulk_import.errors import StoppedEarly
from bulk_import.formulas import defuse
from bulk_import.ledger import Line, Mapped
from bulk_import.report.blocks import Table, blocks, csv_lines, csv_text, json_lines

What = Literal["map", "failed", "all", "stripe-map"]
Format = Literal["csv", "jsonl"]

ALL_COLUMNS = Line._fields
MAP_COLUMNS = ("row", "source_id", "email", "customer_id")
STRIPE_COLUMNS = ("old_customer_id", "stripe_customer_id")
"""The file that Stripe's migration team takes to attach imported cards to customers (Stripe facts, section 9)."""

ADDED_COLUMNS = ("_ledger", "_row", "_status", "_error_code", "_error_param", "_error")
"""What `--what failed` puts behind the original columns."""

_THOUSANDTHS = tuple(f".{number:03d}Z" for number in range(1000))
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def default_format(what: What) -> Format:
    """CSV for people, but JSON Lines for everything about every row."""
    return "jsonl" if what == "all" else "csv"


def record_of(line: Line) -> dict[str, Any]:
    """One row as `--what all` and the `row` event tell it."""
    return dict(zip(ALL_COLUMNS, (*line[:-1], moment(line.settled_at)), strict=True))


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, cut to the millisecond."""
    return None if seconds is None else _moment(seconds)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moments(column: Sequence[float | None]) -> Iterator[str | None]:
    """`moment` of each; rows are settled many in a second, and to write out a date costs as much as the rest of a row."""
    second, spelled = -1, ""
    for seconds in column:
        if seconds is None or seconds < 0:
            yield moment(seconds)
            continue
        whole = int(seconds)
        micros = round((seconds - whole) * 1e6)  # as datetime rounds
        if micros == 10**6:
            yield _moment(seconds)
            continue
        if whole != second:
            second, spelled = whole, _moment(whole).removesuffix(".000Z")
        yield spelled + _THOUSANDTHS[micros // 1000]


def exported(
    what: What,
    form: Format,
    token: str,
    lines: Callable[[], Iterable[Line]],
    mapped: Callable[[], Iterable[Mapped]],
    failures: Callable[[], Iterable[tuple[Line, Mapping[str, Any]]]],
) -> Iterator[str]:
    """The export line by line, each with its end; CSV begins with a header.

    What *lines*, *mapped* and *failures* answer is the `Reader`'s; only what is wanted is called. *failures* is called once
    for JSON Lines and twice for CSV, whose columns must be known before its first row. Raises `StoppedEarly` when the ledger
    changes in between.
    """
    match what:
        case "all":
            yield from _written(form, ALL_COLUMNS, map(_told, blocks(ALL_COLUMNS, lines())), csv_lines)
        case "map":
            yield from _written(form, MAP_COLUMNS, blocks(MAP_COLUMNS, mapped()), csv_lines)
        case "stripe-map":
            known = ((own, customer) for _, own, _, customer in mapped() if own is not None)
            yield from _written(form, STRIPE_COLUMNS, blocks(STRIPE_COLUMNS, known), csv_text)
        case "failed":
            records = (failed_record(line, original, token) for line, original in failures())
            columns = failed_columns(original for _, original in failures()) if form == "csv" else ()
            yield from _mendable(form, columns, records)


def _told(found: Table) -> Table:
    """Everything known of these rows, moments as people and programs read them."""
    return {**found, "settled_at": tuple(_moments(found["settled_at"]))}


def _written(
    form: Format, names: Sequence[str], tables: Iterable[Table], as_csv: Callable[[Table], Iterable[str]]
) -> Iterator[str]:
    if form == "csv":
        yield csv_line(names)
    for table in tables:
        yield from as_csv(table) if form == "csv" else json_lines(table)


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
    """One line of CSV for a spreadsheet, with its end."""
    (line,) = csv_text({str(place): (csv_cell(cell),) for place, cell in enumerate(cells)})
    return line


def _mendable(form: Format, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if form == "jsonl":
        yield from (_to_json(record) + "\n" for record in records)
        return
    yield csv_line(columns)
    for table in blocks(columns, _cells(columns, records)):
        yield from csv_text(table)


def _cells(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    known = frozenset(columns)
    for record in records:
        if not record.keys() <= known:
            raise StoppedEarly("the ledger changed while it was being exported; run the same export again")
        yield [csv_cell(record.get(name)) for name in columns]


def _why(line: Line) -> str | None:
    if line.error_message is None and line.duplicate_of is not None:
        return f"has the e-mail of row {line.duplicate_of}, which failed"
    return line.error_message
