"""Pre-flight: the whole source read once before anything is sent, in flat memory and without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bulk_import.errors import SourceError, UsageError
from bulk_import.ledger.seen import Seen
from bulk_import.mapping.settled import Mapping, settle_mapping
from bulk_import.model import Record
from bulk_import.options import Preparing
from bulk_import.prepare.flattening import flatten
from bulk_import.prepare.keeping import displayed
from bulk_import.prepare.rows import Preparation
from bulk_import.reading import Fingerprint, Notice, Reading, Remarks, Source, detect, read_pieces
from bulk_import.reading.kinds import kind_of
from bulk_import.reading.titles import is_address_title
from bulk_import.tally import Group, Tally, notices_of
from bulk_import.wording import counted, listed

WITHOUT_HEADER = ("json", "jsonl")
"""Formats whose columns are only known once every record was read."""

_WAYS = {
    "xlsx": 'leave the column out with --map "COLUMN=ignore"',
    "json": "say how it is to be read (--encoding, --format)",
    "jsonl": "say how it is to be read (--encoding, --format)",
}
_FOR_TEXT = "say how it is to be read (--delimiter, --quote, --encoding)"

ReadProgress = Callable[[int, int, int], None]
"""Told bytes read, bytes there, rows so far."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What pre-flight found: how the source reads, who is in it, and everything that is wrong with it.

    `first_rows` hide what is never sent. `rows` counts records; `valid` rows can be sent, `duplicates` of them share an earlier row's
    e-mail. `notices` say what should be said aloud of rows that are sent all the same.
    """

    reading: Reading
    reading_notices: tuple[Notice, ...]
    mapping: Mapping
    fingerprint: Fingerprint
    rows: int
    valid: int
    invalid: int
    duplicates: int
    warnings: int
    with_email: int
    groups: tuple[Group, ...]
    notices: tuple[Notice, ...]
    first_rows: tuple[Record, ...]


def preparation(
    reading: Reading, preparing: Preparing, payment_method: str | None = None, *, marker: bool = True
) -> Preparation:
    """Settle how each record of *reading* becomes a row.

    *payment_method* replaces every one in a rehearsal; *marker* keeps one metadata key free for ours.
    """
    columns = None if reading.format in WITHOUT_HEADER else reading.columns
    return Preparation(
        mapping=settle_mapping(columns, preparing.mapping, allow_no_email=preparing.allow_no_email),
        allow_no_email=preparing.allow_no_email,
        default_payment_method=preparing.default_payment_method,
        payment_method_override=payment_method,
        email_check=preparing.email_check,
        marker=marker,
    )


def survey(
    path: Path, preparing: Preparing, *, read_progress: ReadProgress | None = None, reading: Reading | None = None
) -> Survey:
    """Read all of *path*; with *reading* it is not detected again.

    Raises `SourceError` for a source this tool cannot read or without a single record, and `UsageError` for a mapping
    that cannot work.
    """
    notices: tuple[Notice, ...] = ()
    if reading is None:
        reading, notices = detect(path, preparing.overrides)
    how = preparation(reading, preparing)
    with Source.open(path) as source, Seen() as emails, Seen() as methods, Seen() as ids:
        tally, remarks = Tally(emails, methods, ids, how), Remarks()
        for piece in read_pieces(source, reading, remarks):
            tally.add(piece)
            if read_progress:
                read_progress(source.bytes_read, source.size, tally.rows)
        tally.finish()
        _must_hold_people(tally, path, preparing, reading)
        if how.mapping.unmet():
            names = ", ".join(how.mapping.unmet())
            raise UsageError(
                f"no row of {path} has the column {names}; name one that is there in --map, --key or the --mapping file: "
                f"{listed(how.mapping.met)}"
            )
        return Survey(
            reading, (*notices, *remarks.notices()), how.mapping, source.fingerprint(), tally.rows, tally.valid,
            tally.invalid, tally.duplicates, tally.warnings, tally.with_email, tuple(tally.groups.values()),
            tuple(notices_of(tally, how.mapping.key)),
            tuple(replace(record, fields=displayed(record.fields, how.mapping.wiped)) for record in tally.first),
        )  # fmt: skip


def _must_hold_people(tally: Tally, path: Path, preparing: Preparing, reading: Reading) -> None:
    if tally.rows == 0:
        raise SourceError(f"{path} holds no rows; give a file with at least one")
    unreadable = tally.groups.get(("unreadable", False))
    if unreadable is not None and unreadable.count == tally.rows:
        first = unreadable.places[0]
        way = _WAYS.get(reading.format, _FOR_TEXT)
        raise SourceError(f"no row of {path} can be read; line {first.line}: {first.message}; mend the file or {way}")
    if not tally.with_email and not preparing.allow_no_email and tally.valid == 0:
        columns, likely = _columns_of(tally.first)
        if likely == "COLUMN" and (place := _in_a_list(tally.first)) is not None:
            raise SourceError(
                f"none of the {counted(tally.rows, 'row')} of {path} has an e-mail address of its own; they stand in a list, "
                'which no column is; give each row its first one: jq -c \'if type == "array" then .[] else . end | '
                f". + {{email: .{place}}}' FILE > users.jsonl"
            )
        raise SourceError(
            f"none of the {counted(tally.rows, 'row')} of {path} has an e-mail address; its columns are {columns}; "
            f'name the right one with --map "{likely}=email", or pass --allow-no-email'
        )


def _columns_of(records: Iterable[Record]) -> tuple[str, str]:
    """The columns of the first records, nested ones by their dotted names, and the likeliest that holds an address."""
    cells = [cell for record in records for cell in flatten(record.fields)[0].items()]
    names = ", ".join(list(dict.fromkeys(name for name, _ in cells))[:20]) or "none"
    holding = [name for name, value in cells if isinstance(value, str) and kind_of(value) == "email"]
    likely = sorted(holding, key=lambda name: not is_address_title(name.rpartition(".")[2]))
    return names, next(iter(likely), "COLUMN")


def _in_a_list(records: Iterable[Record]) -> str | None:
    """Where the first record that has them keeps its addresses, as jq names the place behind a dot: `emails[0].value`."""
    for record in records:
        for name, value in record.fields.items():
            first = value[0] if isinstance(value, list) and value else None
            if isinstance(first, str) and kind_of(first) == "email":
                return f"{_as_jq(name)}[0]"
            if isinstance(first, dict):
                held = (key for key, cell in first.items() if isinstance(cell, str) and kind_of(cell) == "email")
                if (key := next(held, None)) is not None:
                    return f"{_as_jq(name)}[0].{_as_jq(key)}"
    return None


def _as_jq(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else f"[{json.dumps(key)}]"
