"""The lines of a mended export: which row each is about, and what its cells said before they were exported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.formulas import restore
from bulk_import.ledger import Purpose
from bulk_import.reading import NO_CUSTOMER, Overrides, Reading, Records, detect
from bulk_import.wording import terminal_safe, without_addresses

DELIMITED = ("csv", "tsv")
"""Formats whose cells are all text."""


@dataclass(frozen=True, slots=True)
class MendedLine:
    """One line: the row it names and its cells by column.

    `problem` says why it is no customer's, `where` tells its place, `is_signed` whether it names the ledger it came from,
    `lost` which cells do not hold any more what they held, and why.
    """

    number: int
    fields: Mapping[str, Any]
    problem: str | None
    where: str
    is_signed: bool
    lost: tuple[tuple[str, str], ...]


def lines_of(path: Path, overrides: Overrides, purpose: Purpose) -> Iterator[MendedLine]:
    """Every line of the file *path*, read as *overrides* say.

    Raises `UsageError` for one that cannot be read whole, names no row, or comes from another ledger.
    """
    reading, notices = detect(path, overrides)
    cell_of = _cell_reader(reading.format, Reading.from_json(purpose.reading).format)
    name_of = restore if reading.format in DELIMITED else str
    for record in Records(path, reading, notices):
        where = f"{path}, line {record.line}"
        if record.problem is not None and record.problem not in NO_CUSTOMER:
            raise UsageError(f"{where} cannot be read ({record.problem}); mend it and try again")
        fields = {name_of(column): cell_of(cell) for column, cell in record.fields.items()}
        number = _row_number(fields, where)
        ledger = _text(fields, "_ledger")
        if ledger and ledger != purpose.token:
            said = without_addresses(terminal_safe(ledger))
            raise UsageError(f"{where} comes from another ledger ({said}); give the export of this one")
        yield MendedLine(number, fields, record.problem, where, bool(ledger), record.lost)


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


def _text(fields: Mapping[str, Any], column: str) -> str:
    """A cell of a column of ours, "" for none."""
    cell = fields.get(column)
    return "" if cell is None else str(cell).strip()


def _row_number(fields: Mapping[str, Any], where: str) -> int:
    if "_row" not in fields:
        raise UsageError(
            f"{where} has no column _row, which says whose line it is; --with takes the file that bulk-import export LEDGER "
            "--what failed --output FILE wrote, mended, with all its columns"
        )
    text = _text(fields, "_row")
    if not text.isascii() or not text.isdecimal():
        raise UsageError(
            f"{where} has {without_addresses(repr(text))} in its column _row, which is no row number; give that column as "
            "the export wrote it"
        )
    return int(text)
