"""Rows that are paired with a customer: what `verify` and `undo` ask of the ledger, and what an undo writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk_import.errors import LedgerRefuses
from bulk_import.image import Image, merged
from bulk_import.ledger.arrows import is_allowed
from bulk_import.ledger.chunks import marks
from bulk_import.ledger.database import Connection, sound, transaction, translated
from bulk_import.ledger.purpose import Purpose
from bulk_import.ledger.putting_back import DELETED, PARTLY, WHOLLY, begin_anew, put_back
from bulk_import.model import Status

PAIRED = (Status.CREATED, Status.UPDATED, Status.EXISTING)


@dataclass(frozen=True, slots=True)
class Pairing:
    """A row and its customer; `email_key` is what stands for its e-mail in the ledger.

    `digest` tells what its create sent (see `bulk_import.digest`), empty where the ledger made no customer.
    `undo_at` is when an undo set out to delete the customer, None unless it was cut short.
    """

    row: int
    status: Status
    customer_id: str | None
    email: str | None
    email_key: str | None
    generation: int
    digest: Mapping[str, str]
    undo_at: float | None


Kept = tuple[int, str, str]
"""A row, the customer of it that an undo left as it is, and why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Follower:
    """A duplicate and the row it follows: `owner_status` None where the ledger has no such row.

    `email` is the duplicate's own, None once it is kept as a hash only; `owner_key` stands for that of its owner.
    """

    row: int
    email: str | None
    owner: int
    owner_status: Status | None
    owner_key: str | None
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when this ledger may have made customers; seconds, `first` by Stripe's own clock where it is known."""

    first: float
    last: float


_PAIRINGS = """
SELECT number, status, customer_id, email, owned_key, generation, iif(status = 'created', digest, NULL), undo_at FROM entry
"""
_FOLLOWERS = """
SELECT e.number, e.email, e.owner, o.status, o.owned_key, o.customer_id FROM entry e LEFT JOIN entry o ON o.number = e.owner
WHERE e.status = 'duplicate' AND e.number > ? ORDER BY e.number LIMIT ?
"""
_SETTLED_IMAGES = """
FROM image i JOIN entry e ON e.number = i.number WHERE e.status NOT IN ('claimed', 'in_doubt')
"""
_UNSENT = "UPDATE entry SET undo_at = NULL WHERE number = ?"
_LEFT = """
UPDATE entry SET undo_at = iif(customer_id = ?2, NULL, undo_at), error_message = CASE
    WHEN status <> 'failed' THEN ?3
    WHEN instr(error_message, ?3) THEN error_message
    ELSE coalesce(error_message || '; ', '') || ?3
END WHERE number = ?1
"""
# Why a row failed is still what a person must mend.
_IMAGES = f"""
SELECT i.number, i.target, i.before, i.after, i.attached FROM image i WHERE i.number IN
    (SELECT DISTINCT i.number {_SETTLED_IMAGES} AND i.number > ? ORDER BY i.number LIMIT ?)
ORDER BY i.number, i.generation
"""  # noqa: S608 - a constant


class Pairings:
    """Rows and their customers; like those of `Writer`, its methods must be called one at a time."""

    def __init__(self, db: Connection, path: Path, now: Callable[[], float]) -> None:
        self._db = db
        self._path = path
        self._now = now

    # Asking.

    def after(self, row: int, count: int, statuses: Sequence[Status] = PAIRED) -> list[Pairing]:
        """The next *count* rows behind *row* that are paired in one of *statuses*, in row order."""
        names = [status.value for status in statuses]
        where = f"WHERE status IN ({marks(names)}) AND number > ? ORDER BY number LIMIT ?"
        return self._pairings(where, (*names, row, count))

    def of_customers(self, ids: Sequence[str]) -> list[Pairing]:
        """The rows that are mapped to any of these customers (at most a few hundred)."""
        return self._pairings(f"WHERE customer_id IN ({marks(ids)}) ORDER BY number", ids)

    def of_rows(self, rows: Sequence[int]) -> dict[int, Pairing]:
        """These rows (at most a few hundred), paired or not, as far as the ledger has looked at them."""
        return {p.row: p for p in self._pairings(f"WHERE number IN ({marks(rows)})", rows)}

    def followers(self, row: int, count: int) -> list[Follower]:
        """The next *count* duplicates behind *row*, in row order."""
        with sound(self._path):
            return [
                Follower(n, email, owner, Status(status) if status else None, key, customer)
                for n, email, owner, status, key, customer in self._all(_FOLLOWERS, (row, count))
            ]

    def images(self, row: int, count: int) -> list[Image]:
        """What updates replaced, of the next *count* rows behind *row*: one image for each row and customer.

        Rows in doubt are left out: what their update has done is not known yet.
        """
        return self._whole(self._all(_IMAGES, (row, count)))

    def images_of(self, rows: Sequence[int]) -> list[Image]:
        """What updates replaced of just these rows (at most a few hundred)."""
        columns = "number, target, before, after, attached"
        query = f"SELECT {columns} FROM image WHERE number IN ({marks(rows)}) ORDER BY number, generation"  # noqa: S608 - marks only
        return self._whole(self._all(query, rows))

    def imaged(self) -> int:
        """How many customers an undo can put back to what they were."""
        return int(self._all(f"SELECT count(*) FROM (SELECT DISTINCT i.number, i.target {_SETTLED_IMAGES})")[0][0])  # noqa: S608 - a constant

    def attaching(self) -> int:
        """How many of these updates attached a payment method, which to put back is to detach."""
        attached = "AND (i.attached IS NOT NULL OR json_extract(i.after, '$.payment_method') IS NOT NULL)"
        return int(self._all(f"SELECT count(*) {_SETTLED_IMAGES} {attached}")[0][0])

    def begun(self, row: int, count: int) -> list[Pairing]:
        """The next *count* rows behind *row* that an undo set out to take back without writing what came of it."""
        return self._pairings("WHERE undo_at IS NOT NULL AND number > ? ORDER BY number LIMIT ?", (row, count))

    def span(self) -> Span | None:
        """When this ledger may have made customers; None if it never claimed a row."""
        first, last = self._all(
            "SELECT min(coalesce(stripe_time, claimed_at)), "
            "max(max(claimed_at, coalesce(attempted_at, 0), coalesce(settled_at, 0), coalesce(stripe_time, 0))) "
            "FROM entry WHERE claimed_at IS NOT NULL"
        )[0]
        return None if first is None else Span(first, last)

    # What an undo writes; each method is one commit, on disk when it returns.

    def begin_undo(self, pairs: Sequence[tuple[int, str]]) -> list[int]:
        """Note, before any of it is sent, that the customers of these *pairs* (row, customer) are about to be undone.

        Answers those of the rows that no earlier undo had begun. A row that failed half-way is none that counts as done,
        nor is one that has another customer by now than the one that is put back.
        """
        rows = sorted({row for row, _ in pairs})
        begun = {p.row for p in self._pairings(f"WHERE undo_at IS NOT NULL AND number IN ({marks(rows)})", rows)}
        with translated(self._path), transaction(self._db):
            self._db.executemany(
                "UPDATE entry SET undo_at = ? WHERE number = ? AND customer_id = ? AND status IN ('created', 'updated')",
                [(self._now(), *pair) for pair in pairs],
            )
        return [row for row in rows if row not in begun]

    def settle_undo(self, undone: Sequence[tuple[int, str]], left: Sequence[Kept], unsent: Iterable[int] = ()) -> None:
        """Put rows whose customer was seen deleted back to the start, and say of the others why they were left.

        *undone* are pairs of row and customer, *unsent* rows whose customer was surely not deleted. A row put back
        gets its next generation and gives up its e-mail, so its duplicates go back to the start with it.
        """
        if not is_allowed(Status.CREATED, Status.PENDING) or not is_allowed(Status.DUPLICATE, Status.PENDING):
            raise LedgerRefuses(f"the table of states does not let rows of {self._path} be undone; report this")
        with translated(self._path), transaction(self._db):
            put_back(self._db, undone)
            self._db.executemany(_UNSENT, [(n,) for n in unsent])
            self._db.executemany(_LEFT, left)

    def settle_restored(
        self,
        restored: Sequence[tuple[int, str]],
        left: Sequence[Kept],
        unsent: Iterable[int] = (),
        halfway: Sequence[tuple[int, str]] = (),
        gone: Sequence[tuple[int, str]] = (),
    ) -> None:
        """Forget what updates replaced where it is back, or its customer *gone*, and say of the others why it is not.

        *restored* and *gone* are pairs of row and customer, *unsent* rows whose customer is surely as the update left
        it. An updated row goes back to the start, as an undone one does, also where its customer is put back *halfway*:
        then what the update replaced is kept. One that failed half-way stays failed.
        """
        if not is_allowed(Status.UPDATED, Status.PENDING):
            raise LedgerRefuses(f"the table of states does not let rows of {self._path} be restored; report this")
        with translated(self._path), transaction(self._db):
            begin_anew(self._db, halfway, PARTLY)
            begin_anew(self._db, restored, WHOLLY)
            begin_anew(self._db, gone, DELETED)
            self._db.executemany("DELETE FROM image WHERE number = ? AND target = ?", (*restored, *gone))
            self._db.executemany(_UNSENT, [(n,) for n in unsent])
            self._db.executemany(_LEFT, left)

    def _whole(self, found: Sequence[Any]) -> list[Image]:
        """One image for each row and customer, out of those of each generation in their order."""
        images: dict[tuple[int, str], list[Image]] = {}
        for number, target, before, after, attached in found:
            with sound(self._path):
                image = Image(number, target, json.loads(before), json.loads(after), attached)
            images.setdefault((number, target), []).append(image)
        salt = self._salt() if images else b""
        return [merged(each, salt) for each in images.values()]

    def _salt(self) -> bytes:
        facts = self._all("SELECT facts, chunks FROM job")
        with sound(self._path):
            return Purpose.from_text(facts[0][0], bytes(facts[0][1])).salt_bytes() if facts else b""

    def _pairings(self, where: str, values: Sequence[Any]) -> list[Pairing]:
        with sound(self._path):
            return [
                Pairing(n, Status(status), customer, email, key, generation, json.loads(digest or "{}"), undo_at)
                for n, status, customer, email, key, generation, digest, undo_at in self._all(_PAIRINGS + where, values)
            ]

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with translated(self._path):
            return list(self._db.execute(query, tuple(values)).fetchall())
