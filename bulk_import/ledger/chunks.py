"""Many values in one statement: so many at a time, with a question mark for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from bulk_import.ledger.database import Connection

T = TypeVar("T")

AT_ONCE = 500
"""Values of one query, well below what any SQLite takes."""


SIZES = (64, 16, 4, 1)
"""Rows of one statement; few different sizes, so that each is parsed once."""


def execute_for_all(db: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run *sql* for all rows, many at a time; they stand where it says `{rows}`, each with a value for each column.

    For each row of an `executemany` the ledger's thread lets go of the interpreter and waits until the event loop does
    the same: 300 claims take 28 ms while requests fly, and so a quarter of it.
    """
    left = rows
    while left:
        size = next(size for size in SIZES if size <= len(left))
        some, left = left[:size], left[size:]
        values = ", ".join([f"({marks(some[0])})"] * size)
        db.execute(sql.format(rows=values), list(chain.from_iterable(some)))


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in pieces, each fit for one query."""
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def marks(chunk: Sequence[Any]) -> str:
    """As many question marks as there are values."""
    return ",".join("?" * len(chunk))
