"""The rows' own ids in a mended file, by which its lines are known: as the ledger has them, or as a spreadsheet has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.job.mended_lines import MendedLine
from bulk_import.ledger import Mended, Reader
from bulk_import.respelt import as_number, is_respelt
from bulk_import.wording import without_addresses

_AS_TEXT = "format that column as text in the spreadsheet, and write the ids again"


def has_own_id(line: MendedLine, key: str | None, own_id: str | None) -> bool:
    """Whether the line has the row's own id, by which it is known; raises `UsageError` for that of another row.

    A number that a spreadsheet has made of it will do where the line also says which ledger it is of.
    """
    if key is None or own_id is None or key not in line.fields:
        return False
    text = id_of(line.fields, key)
    respelt = is_respelt(own_id, text)
    if text == own_id or (respelt and line.is_signed and as_number(text) == as_number(own_id)):
        return True
    advice = "give each line its own row"
    if respelt:
        advice = f"a spreadsheet has made another number of it: {_AS_TEXT}"
    given, known = without_addresses(repr(text)), without_addresses(repr(own_id))
    raise UsageError(f"{line.where} has {given} as its {key}, but that row is {known}; {advice}")


def id_of(fields: Mapping[str, Any], key: str | None) -> str:
    """What a line has in the column of the rows' own ids, "" for nothing."""
    return str(fields[key]).strip() if key is not None and fields.get(key) is not None else ""


def must_be_told_apart(found: Mended, reader: Reader, path: Path, key: str) -> None:
    """Raise `UsageError` where what a spreadsheet has made of a row's own id could be another row's as well."""
    for number, own_id in reader.alike_ids():
        if number in found and (text := id_of(found[number], key)) != own_id:
            raise UsageError(
                f"{path} has {without_addresses(repr(text))} as the {key} of row {number}, which a spreadsheet makes of the ids "
                f"of several rows; {_AS_TEXT}"
            )
