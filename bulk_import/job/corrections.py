"""`retry --with`: the failed export, mended in a spreadsheet, read back and held against the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.formulas import restore
from bulk_import.ledger import Purpose
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.reading import Reading, read_records

DELIMITED = ("csv", "tsv")
"""Formats whose cells are all text."""

Corrections = Mapping[int, Mapping[str, Any]]
"""The corrected fields of each row that the file names."""


def read_corrections(path: Path, purpose: Purpose, retryable: Mapping[int, str | None], key: str | None) -> Corrections:
    """Read *path*; *retryable* maps the rows that the failed export holds to their own ids, *key* names the `--key` column.

    Raises `UsageError` for the whole file when any line of it does not belong to this ledger: nothing is guessed
    about which row a line means.
    """
    found: dict[int, Mapping[str, Any]] = {}
    records = read_records(path)
    cell_of = _cell_reader(records.reading.format, Reading.from_json(purpose.reading).format)
    name_of = restore if records.reading.format in DELIMITED else str
    for record in records:
        where = f"{path}, line {record.line}"
        if record.problem is not None:
            raise UsageError(f"{where} cannot be read ({record.problem}); mend it and try again")
        fields = {name_of(column): cell_of(cell) for column, cell in record.fields.items()}
        number = _row_number(fields.get("_row"), where)
        if fields.get("_ledger", purpose.token) != purpose.token:
            raise UsageError(f"{where} comes from another ledger ({fields['_ledger']}); give the export of this one")
        if number not in retryable:
            raise UsageError(f"{where} names row {number}, which is neither failed nor invalid; take the line out")
        if number in found:
            raise UsageError(f"{where} names row {number} a second time; keep one line for each row")
        _check_key(fields, key, retryable[number], where)
        found[number] = {column: cell for column, cell in fields.items() if column not in OWN_COLUMNS}
    if not found:
        raise UsageError(f"{path} names no rows; give the mended export of export --what failed")
    return found


def _cell_reader(file: str, source: str) -> Callable[[Any], Any]:
    """Undo what the export did to a cell: formulas defused in CSV, and nested values of a JSON source as JSON text."""
    if file not in DELIMITED:
        return lambda cell: cell
    if source in DELIMITED:
        return restore
    return lambda cell: _nested(restore(cell))


def _nested(cell: str) -> Any:
    try:
        return json.loads(cell) if cell.startswith(("{", "[")) else cell
    except ValueError:
        return cell


def _row_number(cell: Any, where: str) -> int:
    text = str(cell if cell is not None else "").strip()
    if not text.isascii() or not text.isdecimal():
        raise UsageError(
            f"{where} has no row number in its column _row; give the export with its columns left as they are"
        )
    return int(text)


def _check_key(fields: Mapping[str, Any], key: str | None, own_id: str | None, where: str) -> None:
    if key is None or own_id is None or key not in fields:
        return
    if str(fields[key]).strip() != own_id:
        raise UsageError(
            f"{where} has {fields[key]!r} as its {key}, but that row is {own_id!r}; give each line its own row"
        )
