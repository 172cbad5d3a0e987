"""Everything that changes the ledger; each public method is one commit, on disk when it returns."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulk_import.digest import digest_of
from bulk_import.errors import LedgerRefuses
from bulk_import.image import after_of
from bulk_import.ledger import account
from bulk_import.ledger.arrows import allowed_from, is_allowed
from bulk_import.ledger.believing import believed
from bulk_import.ledger.chunks import chunks, execute_for_all, marks
from bulk_import.ledger.database import Connection, transaction, translated
from bulk_import.ledger.keeping import keep_or_drop
from bulk_import.ledger.listed import Listed
from bulk_import.ledger.mending import TakenOver, Unmendable, let_go, mend, owned_keys
from bulk_import.ledger.payload import PAYLOAD, to_json
from bulk_import.ledger.purpose import Purpose
from bulk_import.ledger.sampling import keep
from bulk_import.ledger.settling import columns_of
from bulk_import.model import Claim, Customer, Existing, Failed, Method, Prepared, Row, Settled, Slice, Status
from bulk_import.series import Sample

_CLAIM = """
INSERT INTO entry (number, line, source_id, email, owned_key, status, target, generation, claimed_at, stripe_time,
                   key_fingerprint, digest, owned_method)
VALUES {rows}
ON CONFLICT (number) DO UPDATE SET
    line = excluded.line, source_id = excluded.source_id, email = excluded.email, owned_key = excluded.owned_key,
    status = 'claimed', owner = NULL, customer_id = NULL, target = excluded.target, generation = excluded.generation,
    claimed_at = excluded.claimed_at, stripe_time = excluded.stripe_time, key_fingerprint = excluded.key_fingerprint,
    digest = excluded.digest, owned_method = excluded.owned_method, undo_at = NULL, attempts = 0, attempted_at = NULL, doubt = NULL, error_type = NULL,
    error_code = NULL, error_param = NULL, error_message = NULL, http_status = NULL, request_id = NULL, settled_at = NULL
WHERE entry.status IN (CLAIMED) AND excluded.generation >= entry.generation + (entry.status <> 'pending')
"""
_RECONSIDER = """
UPDATE entry SET status = 'pending', owned_key = NULL, owned_method = NULL, error_type = NULL, error_code = NULL, error_param = NULL,
    error_message = NULL, settled_at = NULL
WHERE status = 'invalid' AND claimed_at IS NULL AND generation = 0
"""
_ENTER = """
INSERT INTO entry (number, line, source_id, email, owned_key, owned_method, status) VALUES (?, ?, ?, ?, ?, ?, 'pending')
ON CONFLICT (number) DO UPDATE SET
    line = excluded.line, source_id = excluded.source_id, email = excluded.email, owned_key = excluded.owned_key,
    owned_method = excluded.owned_method
"""
_SETTLE = """
UPDATE entry SET status = ?, customer_id = ?, owner = ?, doubt = ?, error_type = ?, error_code = ?, error_param = ?,
    error_message = ?, http_status = ?, request_id = ?, attempts = attempts + ?,
    attempted_at = coalesce(?, attempted_at), settled_at = ?
WHERE number = ? AND status IN (BEFORE)
"""
_SETTLE_ALL = """
UPDATE entry SET status = new.column1, customer_id = new.column2, owner = new.column3, doubt = new.column4,
    error_type = new.column5, error_code = new.column6, error_param = new.column7, error_message = new.column8,
    http_status = new.column9, request_id = new.column10, attempts = attempts + new.column11,
    attempted_at = coalesce(new.column12, attempted_at), settled_at = new.column13
FROM (VALUES {rows}) AS new WHERE number = new.column14 AND +status IN (BEFORE)
"""
_IMAGE = """
INSERT INTO image (number, generation, target, before, after, note) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (number, generation) DO NOTHING
"""
_ATTACHED = """
UPDATE image SET attached = ?1 WHERE number = ?2 AND generation = (SELECT generation FROM entry WHERE number = ?2)
"""


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
        """Write, or replace, what this ledger is for."""
        with translated(self._path), transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO job (id, facts, chunks) VALUES (1, ?, ?)", (purpose.to_text(), purpose.chunks)
            )
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
            self._let_go(claims, settled)
            if claims:
                self._claim(claims)
            if settled:
                self._settle(settled)
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
            before = self._changes()
            if is_allowed(Status.INVALID, Status.PENDING):
                self._db.execute(_RECONSIDER)
            again = self._changes() - before
            self._db.execute("DELETE FROM payload WHERE number IN (SELECT number FROM entry WHERE status = 'pending')")
        return again

    def mend(self, rows: Iterable[Prepared], command: int, file: str | None) -> TakenOver:
        """Take over the mended fields of *rows*, all or none; answers what came of that (see `mending`).

        That *command* took them out of the mended file with the digest *file* is noted in the same commit.
        """
        with translated(self._path), transaction(self._db):
            try:
                taken_over = mend(self._db, rows, self.owned_key, self.owned_method, self._now())
            except Unmendable:
                raise self._disagrees("mended row", "one to be sent") from None
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

    def _let_go(self, claims: Sequence[Claim], settled: Sequence[Settled]) -> None:
        """Rows that were here before give up their e-mail first: two of them may be about to swap theirs.

        Whoever follows one that comes back with another e-mail, or with none to be sent for, follows it no longer.
        """
        claimed, entering = [c for c in claims if c.generation], [s for s in settled if s.row is not None]
        before = owned_keys(self._db, [c.row for c in claimed] + [s.number for s in entering])
        if not before:  # as in a first run, whose rows own and follow nothing yet
            return
        after = {c.row: self.owned_key(c.email_key) for c in claimed} | {s.number: self._enters_as(s) for s in entering}
        owning = [(number,) for number, key in before.items() if key is not None]
        self._db.executemany("UPDATE entry SET owned_key = NULL WHERE number = ?", owning)
        let_go(self._db, [number for number, key in before.items() if key != after[number]])

    def _claim(self, claims: Sequence[Claim]) -> None:
        before = self._changes()
        status, salt = Status.CLAIMED.value, self._purpose.salt_bytes() if self._purpose else None
        execute_for_all(
            self._db,
            _CLAIM.replace("CLAIMED", _names(allowed_from(Status.CLAIMED))),
            [
                (
                    c.row, c.line, c.source_id, c.email, self.owned_key(c.email_key), status, c.target, c.generation,
                    c.claimed_at, c.stripe_time, c.key_fingerprint,
                    digest_of(c.params, salt) if salt is not None and c.target is None else None, c.owned_method,
                )
                for c in claims
            ],
        )  # fmt: skip
        self._must_have_changed(before, len(claims), "claimed")
        execute_for_all(
            self._db,
            PAYLOAD,
            [(c.row, to_json(c.params), to_json(c.fields) if c.fields else None) for c in claims],
        )
        # What was there before the first claim of a generation is what an undo must bring back, whatever was read since.
        self._db.executemany(_IMAGE, [self._image(c) for c in claims if c.target is not None])

    def _image(self, c: Claim) -> tuple[Any, ...]:
        salt = self._purpose.salt_bytes() if self._purpose else b""
        return (c.row, c.generation, c.target, to_json(c.before), to_json(after_of(c.params, salt)), c.note)

    def _settle(self, settled: Sequence[Settled]) -> None:
        rows = [s for s in settled if s.row is not None]
        self._db.executemany(_ENTER, [self._entrance(s) for s in rows])
        by_status: dict[Status, list[tuple[Any, ...]]] = {}
        for s in settled:
            status, columns = columns_of(s, self._now())
            by_status.setdefault(status, []).append(columns)
        # A row may be refused and taken back in one commit: taking back comes last.
        for status, columns_list in sorted(by_status.items(), key=lambda item: item[0] is Status.PENDING):
            before, sources = self._changes(), _names(allowed_from(status))
            if is_allowed(status, status):  # a row may come twice, and then each time counts
                self._db.executemany(_SETTLE.replace("BEFORE", sources), columns_list)
            else:
                execute_for_all(self._db, _SETTLE_ALL.replace("BEFORE", sources), columns_list)
            self._must_have_changed(before, len(columns_list), status)
        self._db.executemany(_ATTACHED, [(s.attached, s.number) for s in settled if s.attached is not None])
        keep_or_drop(self._db, settled, hashing=self._hashing)

    def _entrance(self, s: Settled) -> tuple[Any, ...]:
        row = s.row
        assert row is not None  # noqa: S101 - the caller filtered
        method = self.owned_method(row.method) if _owns(s) else None
        return (row.number, row.line, row.source_id, row.email, self._enters_as(s), method)

    def _enters_as(self, s: Settled) -> str | None:
        """What stands for the e-mail that a row owns once it is settled so."""
        return self.owned_key(s.row.email_key) if _owns(s) and isinstance(s.row, Row) else None

    def _ask(self, query: str, values: Sequence[Any]) -> list[Any]:
        return list(self._db.execute(query, tuple(values)).fetchall())

    def _changes(self) -> int:
        return int(self._db.execute("SELECT total_changes()").fetchone()[0])

    def _must_have_changed(self, before: int, count: int, status: str) -> None:
        if self._changes() - before != count:
            raise self._disagrees(f"one of these {count} rows", status)

    def _disagrees(self, which: str, what: str) -> LedgerRefuses:
        return LedgerRefuses(
            f"the ledger {self._path} does not agree that every {which} may become {what}; "
            "nothing of this was written; keep the file and report this"
        )


def _owns(s: Settled) -> bool:
    return isinstance(s.outcome, Existing | Failed) and isinstance(s.row, Row)


def _names(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in statuses)
