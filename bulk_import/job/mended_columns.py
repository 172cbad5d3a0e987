"""The columns of a mended file, held against those that its rows were read with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulk_import.errors import UsageError
from bulk_import.ledger import Mended
from bulk_import.mapping.assignment import Assignment
from bulk_import.mapping.targets import Ignored, described
from bulk_import.model import Record
from bulk_import.prepare.flattening import flatten, is_flat
from bulk_import.prepare.rows import Preparation
from bulk_import.wording import listed


def filled(fields: Mapping[str, Any]) -> dict[str, str]:
    """The cells that hold anything, as text."""
    return {column: str(cell) for column, cell in fields.items() if cell not in (None, "")}


def check_columns(
    path: Path, found: Mended, before: Iterable[Record], how: Preparation, notify: Callable[[str, str], None]
) -> None:
    """Tell *notify* which columns are new; *before* are the rows as they were read at first.

    Raises `UsageError` for a file, or one line of it, that lacks what was sent: what was held there would go unsaid. So it
    does for a new column that would have every row refused.
    """
    were: dict[str, None] = {}
    lacking: dict[str, int] = {}  # column to the first row whose line has no such field, as a line of JSON may
    for record in before:
        was, now = _opened(record.fields), _opened(found[record.number])
        were |= dict.fromkeys(was)
        for column in (each for each in filled(was) if not _has(now, each)):
            lacking.setdefault(column, record.number)
    given: dict[str, None] = {}
    held: set[str] = set()
    for fields in map(_opened, found.values()):
        given |= dict.fromkeys(fields)
        held |= filled(fields).keys()
    _must_say_all(path, were, lacking, given, _unsent(were, how))
    new = held.difference(were, how.mapping.columns or ())
    _tell_new([each for each in how.mapping.plan(tuple(given)).assignments if each.column in new], path, notify)


def _must_say_all(
    path: Path, were: Iterable[str], lacking: Mapping[str, int], given: Mapping[str, None], unsent: set[str]
) -> None:
    if missing := [column for column in were if column not in unsent and not _has(given, column)]:
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


def _tell_new(added: Sequence[Assignment], path: Path, notify: Callable[[str, str], None]) -> None:
    if unmapped := [each.column for each in added if each.unmapped]:
        raise UsageError(
            f"{path} has columns that its rows did not have before and nobody has mapped: {listed(unmapped)}; take them out, "
            "or name them as fields of a customer (metadata.KEY, description)"
        )
    if added:
        told = ", ".join(f"{listed([each.column])} ({described(each.target)})" for each in added)
        notify("columns", f"{path} has columns that its rows did not have before: {told}")


def _opened(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields by the names that a mapping speaks of: `address.city` for what stands in an object."""
    return fields if is_flat(fields) else flatten(fields)[0]


def _has(columns: Mapping[str, Any], column: str) -> bool:
    """Whether *column* is among these, or an object that it was in and that has made way for something else, such as null."""
    return column in columns or any(column[:at] in columns for at, sign in enumerate(column) if sign == ".")


def _unsent(columns: Iterable[str], how: Preparation) -> set[str]:
    """Those of *columns* that become nothing, which may be left out."""
    planned = how.mapping.plan(tuple(columns)).assignments
    return {each.column for each in planned if isinstance(each.target, Ignored) and not each.instead}
