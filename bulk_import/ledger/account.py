"""The account's customers as they were last read: kept page by page, so that a reading cut short goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.database import Connection, Query
from bulk_import.model import Customer, Slice

Entry = tuple[str, str | None, str | None, int, str | None]
"""A customer's id, what stands for its e-mail, the e-mail itself (None where only hashes are kept), `created`, and marker."""


def forget_all(db: Connection) -> None:
    """Forget everything that was read before, and that anything was."""
    for table in ("customer", "slice", "snapshot"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours


def begin(db: Connection, now: float) -> None:
    """Forget everything that was read before; a new reading begins."""
    forget_all(db)
    db.execute("INSERT OR REPLACE INTO snapshot (id, begun_at, finished_at, newest) VALUES (1, ?, NULL, 0)", (now,))


def remember(db: Connection, entries: Sequence[Entry], newest: int) -> None:
    """Keep customers, the latest word on each; everybody is known up to the second *newest*."""
    db.executemany(
        "INSERT OR REPLACE INTO customer (id, email_key, email, created, marker) VALUES (?, ?, ?, ?, ?)", entries
    )
    db.execute("UPDATE snapshot SET newest = max(newest, ?) WHERE id = 1", (newest,))


def narrow(db: Connection, read: Slice, left: Sequence[Slice], now: float) -> None:
    """Put what is *left* of a slice in the place of it; with nothing left anywhere, the reading is whole."""
    db.execute("DELETE FROM slice WHERE id = ?", (read.id,))
    db.executemany(
        "INSERT INTO slice (id, low, high, cursor, oldest, read_at) VALUES (?, ?, ?, ?, ?, ?)",
        [(s.id, s.low, s.high, s.cursor, s.oldest, now) for s in left],
    )
    db.execute("UPDATE snapshot SET finished_at = ? WHERE id = 1 AND NOT EXISTS (SELECT 1 FROM slice)", (now,))


def forget(db: Connection, customer_id: str) -> None:
    """Drop one customer."""
    db.execute("DELETE FROM customer WHERE id = ?", (customer_id,))


def last_reading(ask: Query) -> tuple[float, float | None, int] | None:
    """When the last reading began and finished (None if it did not), and the newest `created`."""
    found = ask("SELECT begun_at, finished_at, newest FROM snapshot", ())
    return (found[0][0], found[0][1], found[0][2]) if found else None


def knows_nobody(ask: Query) -> bool:
    """Whether the last reading has found no customer at all."""
    return not ask("SELECT 1 FROM customer LIMIT 1", ())


def slices_left(ask: Query) -> tuple[list[Slice], float]:
    """What is left to read, and when the last page came."""
    rows = ask("SELECT id, low, high, cursor, oldest, read_at FROM slice ORDER BY id", ())
    return [Slice(*row[:5]) for row in rows], max((row[5] for row in rows), default=0.0)


def by_email(ask: Query, owned_keys: Sequence[str]) -> dict[str, list[Customer]]:
    """The customers with these e-mails, oldest first for each."""
    found: dict[str, list[Customer]] = {}
    columns = "email_key, id, email, created, marker"
    for chunk in chunks(list(owned_keys)):
        query = f"SELECT {columns} FROM customer WHERE email_key IN ({marks(chunk)}) ORDER BY created, id"  # noqa: S608 - marks only
        for key, cid, email, created, marker in ask(query, chunk):
            found.setdefault(key, []).append(Customer(cid, email, created, livemode=False, marker=marker))
    return found


def known(ask: Query, ids: Sequence[str]) -> set[str]:
    """Which of these customers were seen."""
    seen: set[str] = set()
    for chunk in chunks(list(ids)):
        query = f"SELECT id FROM customer WHERE id IN ({marks(chunk)})"  # noqa: S608 - marks only
        seen.update(row[0] for row in ask(query, chunk))
    return seen
