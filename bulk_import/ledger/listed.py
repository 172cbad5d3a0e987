"""Customers that were listed to settle doubts: in a table of the connection's own, since they may be more than memory should hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bulk_import.ledger.chunks import chunks, execute_for_all, marks
from bulk_import.ledger.database import Connection, translated
from bulk_import.model import Customer

# Emptied and not dropped: SQLite refuses to drop a table while anybody reads on this connection.
_MAKE = (
    "CREATE TEMP TABLE IF NOT EXISTS listed (id TEXT PRIMARY KEY, number INTEGER, email_key TEXT NOT NULL, created INTEGER, marker TEXT) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS temp.listed_number ON listed(number) WHERE number IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS temp.listed_email ON listed(email_key) WHERE number IS NULL",
)
_FORGET = "DELETE FROM temp.listed"
_KEEP = "INSERT OR REPLACE INTO temp.listed (id, number, email_key, created, marker) VALUES {rows}"
_COLUMNS = "SELECT id, email_key, created, marker FROM temp.listed"


class Listed:
    """Like those of `Writer`, its methods must be called one at a time; nothing of it outlives the connection."""

    def __init__(self, db: Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def begin(self, *, anew: bool = True) -> None:
        """Be ready for what is listed; *anew*, forget what was listed before."""
        with translated(self._path):
            for statement in (*_MAKE, _FORGET) if anew else _MAKE:
                self._db.execute(statement)

    def keep(self, customers: Sequence[Customer], rows: Sequence[int | None], keys: Sequence[str]) -> None:
        """Keep those that may be the customer of a row at rest: not the ones that are mapped to a row already.

        *rows* are the rows that their markers name, and *keys* what their e-mails are compared by, empty without one.
        """
        owners = self._owners([customer.id for customer in customers])
        kept = [
            (customer.id, row, key, customer.created, customer.marker)
            for customer, row, key in zip(customers, rows, keys, strict=True)
            if (owner := owners.get(customer.id)) is None or row not in (None, owner)
        ]
        with translated(self._path):
            execute_for_all(self._db, _KEEP, kept)

    def of(self, rows: Sequence[int], keys: Sequence[str]) -> list[Customer]:
        """Who names one of these rows, or names none and has one of these e-mails; with its key in the place of the e-mail."""
        found = [
            each for some in chunks(rows) for each in self._all(f"{_COLUMNS} WHERE number IN ({marks(some)})", some)
        ]
        where = "WHERE number IS NULL AND email_key IN"
        found += [each for some in chunks(keys) for each in self._all(f"{_COLUMNS} {where} ({marks(some)})", some)]
        return [
            Customer(id_, key or None, created, livemode=False, marker=marker) for id_, key, created, marker in found
        ]

    def _owners(self, ids: Sequence[str]) -> dict[str, int]:
        query = "SELECT customer_id, number FROM entry WHERE customer_id IN"
        return dict(each for some in chunks(ids) for each in self._all(f"{query} ({marks(some)})", some))

    def _all(self, query: str, values: Sequence[Any]) -> list[Any]:
        with translated(self._path):
            return list(self._db.execute(query, tuple(values)).fetchall())
