"""The columns of a mended file, held against those that its rows were read with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.ledger import Mended
from bulk_import.mapping.targets import Ignored, described
from bulk_import.model import Record
from bulk_import.prepare.rows import Preparation
from bulk_import.wording import listed


def filled(fields: Mapping[str, Any]) -> dict[str, str]:
    """The cells that hold anything, as text."""
    return {column: str(cell) for column, cell in fields.items() if cell not in (None, "")}


def check_columns(
    path: Path, found: Mended, before: Iterable[Record], how: Preparation, notify: Callable[[str, str], None]
) -> None:
    """Tell *notify* which columns are new; *before* are the rows as they were read at first.

    Raises `UsageError` for a file, or one line of it, that lacks what was sent: what was held there would go unsaid.
    """
    were: dict[str, None] = {}
    lacking: dict[str, int] = {}  # column to the first row whose line has no such field, as a line of JSON may
    for record in before:
        were |= dict.fromkeys(record.fields)
        for column in filled(record.fields).keys() - found[record.number].keys():
            lacking.setdefault(column, record.number)
    given = dict.fromkeys(column for fields in found.values() for column in fields)
    unsent = _unsent(were, how)
    if missing := [column for column in were if column not in given and column not in unsent]:
        raise UsageError(
            f"{path} lacks columns that its rows were read with: {listed(missing)}; put them back, as empty cells where "
            "a field is to go, since a named row replaces all its fields"
        )
    if short := sorted((number, column) for column, number in lacking.items() if column not in unsent):
        number, column = short[0]
        raise UsageError(
            f"{path} lacks {listed([column])} in the line of row {number}, which was read with it; put it back, as null where "
            "the field is to go, since a named row replaces all its fields"
        )
    known = {*were, *(how.mapping.columns or ())}
    if added := [each for each in how.mapping.plan(tuple(given)).assignments if each.column not in known]:
        told = ", ".join(f"{listed([each.column])} ({described(each.target)})" for each in added)
        notify("columns", f"{path} has columns that its rows did not have before: {told}")


def _unsent(columns: Iterable[str], how: Preparation) -> set[str]:
    """Those of *columns* that become nothing, which may be left out."""
    planned = how.mapping.plan(tuple(columns)).assignments
    return {each.column for each in planned if isinstance(each.target, Ignored) and not each.instead}
