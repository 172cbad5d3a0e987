"""`retry --with`: the failed export, mended in a spreadsheet, read back and held against the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.ledger import Purpose
from bulk_import.reading import read_records
from bulk_import.report.export import ADDED_COLUMNS, restore

Corrections = Mapping[int, Mapping[str, Any]]
"""The corrected fields of each row that the file names."""


def read_corrections(path: Path, purpose: Purpose, retryable: Mapping[int, str | None], key: str | None) -> Corrections:
    """Read *path*; *retryable* maps the failed and invalid rows to their own ids, *key* names the `--key` column.

    Raises `UsageError` for the whole file when any line of it does not belong to this ledger: nothing is guessed
    about which row a line means.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for record in read_records(path):
        where = f"{path}, line {record.line}"
        if record.problem is not None:
            raise UsageError(f"{where} cannot be read ({record.problem}); mend it and try again")
        fields = {column: restore(cell) if isinstance(cell, str) else cell for column, cell in record.fields.items()}
        number = _row_number(fields.get("_row"), where)
        if fields.get("_ledger", purpose.token) != purpose.token:
            raise UsageError(f"{where} comes from another ledger ({fields['_ledger']}); give the export of this one")
        if number not in retryable:
            raise UsageError(f"{where} names row {number}, which neither failed nor was invalid; take the line out")
        if number in found:
            raise UsageError(f"{where} names row {number} a second time; keep one line for each row")
        _check_key(fields, key, retryable[number], where)
        found[number] = {column: cell for column, cell in fields.items() if column not in ADDED_COLUMNS}
    if not found:
        raise UsageError(f"{path} names no rows; give the mended export of export --what failed")
    return found


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
