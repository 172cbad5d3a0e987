"""What is kept of a row's personal data: its parameters and fields, only as long as something may still need them."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.ledger.chunks import execute_for_all
from bulk_import.ledger.database import Connection
from bulk_import.ledger.mending import let_go
from bulk_import.ledger.payload import PAYLOAD, to_json
from bulk_import.model import Created, Duplicate, Existing, Failed, Invalid, Released, Settled, Updated

SUCCESSES = "('created','existing','updated')"
_DROP = "DELETE FROM payload WHERE number IN (VALUES {rows})"
_DROP_OF_DUPLICATES = """
DELETE FROM payload WHERE number IN (SELECT number FROM entry WHERE owner IN (VALUES {rows}) AND +status = 'duplicate')
"""
_HAS_FIELDS = "EXISTS (SELECT 1 FROM payload WHERE payload.number = entry.number AND fields IS NOT NULL)"
_FORGET_EMAIL = """
UPDATE entry SET email = NULL,
    source_id = CASE WHEN instr(lower(source_id), lower(email)) THEN owned_key ELSE source_id END
WHERE number = ?
"""
"""An id of the source's own that holds the e-mail, as with `--key email`, is an e-mail in clear."""


def keep_or_drop(db: Connection, settled: Sequence[Settled], *, hashing: bool) -> None:
    """Personal data stays only as long as replay, retry or export can need it; with *hashing*, no e-mail in clear."""
    keep = [s for s in settled if s.row is not None and isinstance(s.outcome, Invalid | Duplicate | Failed)]
    execute_for_all(db, PAYLOAD, [(s.number, None, to_json(s.row.fields)) for s in keep if s.row is not None])
    done = [(s.number,) for s in settled if isinstance(s.outcome, Created | Updated | Existing)]
    execute_for_all(db, _DROP, done)
    execute_for_all(db, _DROP_OF_DUPLICATES, done)
    follow = [(s.number,) for s in settled if isinstance(s.outcome, Duplicate)]
    db.executemany(
        "DELETE FROM payload WHERE number = ?1 AND (SELECT o.status FROM entry e JOIN entry o ON o.number = e.owner "  # noqa: S608 - a constant
        f"WHERE e.number = ?1) IN {SUCCESSES}",
        follow,
    )
    if hashing:
        db.executemany(_FORGET_EMAIL, done + follow)
    _put_back(db, [(s.outcome.generation, s.number) for s in settled if isinstance(s.outcome, Released)])
    # The key that a duplicate was sent under before it was corrected is spent.
    db.executemany("UPDATE entry SET generation = generation + 1 WHERE number = ? AND claimed_at IS NOT NULL", follow)


def _put_back(db: Connection, released: Sequence[tuple[int, int]]) -> None:
    """Rows that begin anew, never under a key of before; what they will own is open, so their duplicates begin anew."""
    numbers = [(number,) for _, number in released]
    db.executemany("UPDATE entry SET generation = max(generation, ?) WHERE number = ?", released)
    execute_for_all(db, _DROP, numbers)
    # What a person has mended is in no source; what was never claimed nor mended is of generation 0.
    let_go(db, [number for _, number in released], f" AND generation > 0 AND {_HAS_FIELDS}")
    # What was never sent replaced nothing; what an earlier generation replaced is still to be put back.
    db.executemany("DELETE FROM image WHERE generation >= ? AND number = ?", released)
    execute_for_all(db, _DROP_OF_DUPLICATES, numbers)
    db.executemany(
        "UPDATE entry SET status = 'pending', owner = NULL, settled_at = NULL WHERE owner = ? AND status = 'duplicate'",
        numbers,
    )
