"""Everything that changes the ledger; each public method is one commit, on disk when it returns."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulk_import.ledger import account
from bulk_import.ledger.arrows import is_allowed
from bulk_import.ledger.believing import believed
from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.claims import write_claims
from bulk_import.ledger.database import Connection, changes, transaction, translated
from bulk_import.ledger.keeping import keep_or_drop
from bulk_import.ledger.listed import Listed
from bulk_import.ledger.mending import TakenOver, mend
from bulk_import.ledger.owning import give_up
from bulk_import.ledger.purpose import Purpose
from bulk_import.ledger.sampling import keep
from bulk_import.ledger.settling import settle
from bulk_import.ledger.views import NEVER_SENT
from bulk_import.model import Claim, Customer, Method, Prepared, Settled, Slice, Status
from bulk_import.series import Sample

_RECONSIDER = f"""
UPDATE entry SET status = 'pending', owned_key = NULL, owned_method = NULL, error_type = NULL, error_code = NULL, error_param = NULL,
    error_message = NULL, settled_at = NULL
WHERE {NEVER_SENT}
"""  # noqa: S608 - a constant


class Writer:
    """The ledger's one writer; its methods must be called one at a time, from any thread.

    Raises `LedgerUnwritable` when the disk refuses (nothing of that commit is then on disk) and
    `LedgerRefuses` for a damaged file or an arrow that the table of states does not allow.
    """

    def __init__(self, db: Connection, path: Path, now: Callable[[], float]) -> None:
        self._db = db
        self._path = path
        self._now = now
        self._purpose: Purpose | None = None

    def found(self, purpose: Purpose) -> None:
        """Write, or replace, what this ledger is for: into the file itself, which may be moved without its log.

        All keys come from its token, so whoever goes on with such a file sends nobody under another one.
        """
        with translated(self._path):
            with transaction(self._db):
                self._db.execute(
                    "INSERT OR REPLACE INTO job (id, facts, chunks) VALUES (1, ?, ?)",
                    (purpose.to_text(), purpose.chunks),
                )
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._purpose = purpose

    def move(self, purpose: Purpose) -> None:
        """The ledger, which holds nothing of its account yet, is for another one from now on: what was read of it goes."""
        with translated(self._path), transaction(self._db):
            self._db.execute("UPDATE job SET facts = ?", (purpose.to_text(),))
            account.forget_all(self._db)
        self._purpose = purpose

    def adopt(self, purpose: Purpose) -> None:
        """Take over the purpose that the ledger already holds."""
        self._purpose = purpose

    def begin_command(self, verb: str, boot: str | None, boot_offset: float | None, line: str = "") -> int:
        """Log that a command, typed as *line*, works on this ledger; the row stays open until it is ended.

        How many rows were settled before is noted: what it settles itself can then be told without reading every row.
        """
        with translated(self._path), transaction(self._db):
            (settled,) = self._db.execute(
                "SELECT count(*) FROM entry WHERE status NOT IN ('pending', 'claimed', 'in_doubt')"
            ).fetchone()
            facts = json.dumps({"line": line, "settled": settled})
            self._db.execute(
                "INSERT INTO command (verb, started_at, pid, host, boot, boot_offset, facts) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (verb, self._now(), os.getpid(), socket.gethostname(), boot, boot_offset, facts),
            )
            return int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])

    def end_command(self, command: int, exit_code: int, reason: str | None, facts: Mapping[str, Any]) -> None:
        """Close a command's log line with its exit code and, in one sentence, why it ended."""
        with translated(self._path), transaction(self._db):
            self._note(command, facts)
            self._db.execute(
                "UPDATE command SET ended_at = ?, exit_code = ?, reason = ? WHERE id = ?",
                (self._now(), exit_code, reason, command),
            )

    def _note(self, command: int, facts: Mapping[str, Any]) -> None:
        (noted,) = self._db.execute("SELECT facts FROM command WHERE id = ?", (command,)).fetchone()
        self._db.execute(
            "UPDATE command SET facts = ? WHERE id = ?", (json.dumps({**json.loads(noted), **facts}), command)
        )

    def write(
        self, claims: Sequence[Claim], settled: Sequence[Settled], sample: Sample | None = None
    ) -> Sequence[Settled]:
        """Claim and settle, and keep what was measured, in one commit: afterwards all of it is on disk, or none.

        Answers what was settled: an outcome that cannot be true is written as a doubt.
        """
        with translated(self._path), transaction(self._db):
            settled = believed(self._ask, settled)
            give_up(self._db, claims, settled, self.owned_key)
            if claims:
                write_claims(self._db, claims, self.owned_key, self._purpose.salt_bytes() if self._purpose else None)
            if settled:
                settle(self._db, settled, self.owned_key, self.owned_method, self._now())
                keep_or_drop(self._db, settled, hashing=self._hashing)
            if sample is not None:
                keep(self._db, sample)
        return settled

    def claim_again(self, numbers: Iterable[int], fingerprint: str | None) -> None:
        """Claims at rest go out again under the key they have, now with the API key of this *fingerprint*.

        What their last attempt said holds no longer.
        """
        with translated(self._path), transaction(self._db):
            for chunk in chunks(list(numbers)):
                self._db.execute(
                    "UPDATE entry SET status = 'claimed', doubt = NULL, attempted_at = NULL, key_fingerprint = ? "  # noqa: S608 - marks only
                    f"WHERE status IN ('claimed', 'in_doubt') AND number IN ({marks(chunk)})",
                    (fingerprint, *chunk),
                )

    def reconsider(self) -> int:
        """Rows that were never sent because they were invalid begin anew; how many they are."""
        with translated(self._path), transaction(self._db):
            before = changes(self._db)
            if is_allowed(Status.INVALID, Status.PENDING):
                self._db.execute(_RECONSIDER)
            again = changes(self._db) - before
            self._db.execute("DELETE FROM payload WHERE number IN (SELECT number FROM entry WHERE status = 'pending')")
        return again

    def mend(self, rows: Iterable[Prepared], command: int, file: str | None) -> TakenOver:
        """Take over the mended fields of *rows*, all or none; answers what came of that (see `mending`).

        That *command* took them out of the mended file with the digest *file* is noted in the same commit.
        """
        with translated(self._path), transaction(self._db):
            taken_over = mend(self._db, rows, self.owned_key, self.owned_method, self._now())
            self._note(command, {"with": file})
        return taken_over

    def begin_snapshot(self) -> None:
        """Forget the account's customers as last read; a new reading begins now."""
        with translated(self._path), transaction(self._db):
            account.begin(self._db, self._now())

    def remember(self, customers: Sequence[Customer], keys: Sequence[str | None], newest: int) -> None:
        """Keep customers of the account, each with the key its e-mail is compared by.

        Everybody is known up to the second *newest* (of `created`); 0 says nothing about that.
        """
        with translated(self._path), transaction(self._db):
            account.remember(self._db, self._entries(customers, keys), newest)

    def read_slice(
        self, customers: Sequence[Customer], keys: Sequence[str | None], read: Slice, left: Sequence[Slice]
    ) -> None:
        """One page of slice *read*, and what is *left* of it, in one commit; with nothing left anywhere, the reading is whole."""
        with translated(self._path), transaction(self._db):
            newest = max((customer.created for customer in customers), default=0)
            account.remember(self._db, self._entries(customers, keys), newest)
            account.narrow(self._db, read, left, self._now())

    def _entries(self, customers: Sequence[Customer], keys: Sequence[str | None]) -> list[account.Entry]:
        return [
            (c.id, self.owned_key(key), None if self._hashing else c.email, c.created, c.marker)
            for c, key in zip(customers, keys, strict=True)
        ]

    def listed(self) -> Listed:
        """Where a sweep keeps what it has listed."""
        return Listed(self._db, self._path)

    def forget(self, customer_id: str) -> None:
        """Drop a customer that turned out to be deleted."""
        with translated(self._path), transaction(self._db):
            account.forget(self._db, customer_id)

    def close(self) -> None:
        """Fold the write-ahead log into the file and truncate it, so that deleted parameters are gone from both."""
        try:
            with translated(self._path):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._db.close()

    def owned_key(self, email_key: str | None) -> str | None:
        """What stands for an e-mail in the ledger."""
        return self._purpose.owned_key(email_key) if self._purpose else email_key

    def owned_method(self, method: Method | None) -> str | None:
        """What stands for a payment method in the ledger."""
        given = method.id if method is not None else None
        return self._purpose.owned_method(given) if self._purpose else given

    @property
    def _hashing(self) -> bool:
        return self._purpose is not None and self._purpose.hash_emails

    def _ask(self, query: str, values: Sequence[Any]) -> list[Any]:
        return list(self._db.execute(query, tuple(values)).fetchall())
