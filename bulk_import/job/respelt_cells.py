"""What a spreadsheet only spelt otherwise in a mended export: no word of a person's, so the cells hold what they held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import localtime
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.job.mended_lines import MendedLine
from bulk_import.ledger import Mended, Reader
from bulk_import.model import Invalid, Record
from bulk_import.model.records import Written
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.respelt import is_respelt
from bulk_import.wording import listed


def must_be_whole(lines: Iterable[MendedLine], reader: Reader) -> None:
    """Raise `UsageError` for a cell that a workbook has taken something of, unless the ledger has the whole of it."""
    torn = [line for line in lines if line.lost]
    before = {each.number: each.fields for each in reader.records([line.number for line in torn])}
    for line in torn:
        held = before.get(line.number, {})
        for column, why in line.lost:
            if not _is_respelt(held.get(column), line.fields.get(column), year=0):
                raise UsageError(f"{line.where} has lost a value ({why}); mend it and try again")


def put_back(
    found: Mended, before: Iterable[Record], path: Path, how: Preparation, notify: Callable[[str, str], None]
) -> None:
    """Give the cells of *found* that *path* only spells otherwise back what they held *before*, and say which.

    What may not be sent as it was is left as it is now, and said, too: whoever writes 1200 for 1200.0 has mended an amount,
    unless the spreadsheet has.
    """
    columns: dict[str, None] = {}
    mended: dict[str, None] = {}
    count, year = 0, localtime(path.stat().st_mtime).tm_year
    for record in before:
        now = found[record.number]
        respelt = _respelt(record.fields, now, year)
        # The row's own id is what the ledger knows it by, whatever else is wrong with the row.
        if wrong := respelt and _wrong(record.number, {**now, **respelt}, how) - {how.mapping.key}:
            mended |= {column: None for column in respelt if column in wrong}
            respelt = {column: cell for column, cell in respelt.items() if column not in wrong}
        if respelt:
            found.put(record.number, {**now, **respelt})
            count, columns = count + len(respelt), columns | dict.fromkeys(respelt)
    if count:
        cells = "cell is" if count == 1 else "cells are"
        notify(
            "respelt",
            f"{count:,} {cells} taken as before, since {path} has the same number or date as a spreadsheet spells it, without "
            f"zeros or digits or in another form: {listed(columns)}",
        )
    if mended:
        notify(
            "respelt",
            f"cells of {path} that could not be sent are written so that they can, by you or by a spreadsheet: {listed(mended)}; "
            "compare them, since an amount counts the smallest unit, such as cents",
        )


def _respelt(before: Mapping[str, Any], now: Mapping[str, Any], year: int) -> dict[str, Any]:
    return {column: cell for column, cell in before.items() if column in now and _is_respelt(cell, now[column], year)}


def _is_respelt(before: object, now: object, year: int) -> bool:
    if isinstance(before, bool) or not isinstance(before, str | int | float | Written) or not isinstance(now, str):
        return False
    return is_respelt(str(before), now, year)


def _wrong(number: int, fields: Mapping[str, Any], how: Preparation) -> set[str]:
    """The columns whose cells would keep the row from being sent."""
    row = prepare(Record(number, 0, fields), how)
    return {problem.column or "" for problem in row.problems} if isinstance(row, Invalid) else set()
