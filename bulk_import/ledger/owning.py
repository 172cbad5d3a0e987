"""Which e-mail a row owns, and how it gives it up: no two rows of a ledger own one, and duplicates follow who does."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.ledger.chunks import chunks, marks
from bulk_import.ledger.database import Connection
from bulk_import.ledger.mending import let_go
from bulk_import.ledger.purpose import KeyOf
from bulk_import.ledger.settling import key_once_settled
from bulk_import.model import Claim, Settled

_OWNED = "SELECT number, owned_key FROM entry WHERE number IN ({marks})"


def give_up(db: Connection, claims: Sequence[Claim], settled: Sequence[Settled], key_of: KeyOf) -> None:
    """Rows that were here before give up their e-mail first: two of them may be about to swap theirs.

    Whoever follows one that comes back with another e-mail, or with none to be sent for, follows it no longer.
    """
    claimed, entering = [c for c in claims if c.generation], [s for s in settled if s.row is not None]
    before = _owned_keys(db, [c.row for c in claimed] + [s.number for s in entering])
    if not before:  # as in a first run, whose rows own and follow nothing yet
        return
    after = {c.row: key_of(c.email_key) for c in claimed} | {s.number: key_once_settled(s, key_of) for s in entering}
    owning = [(number,) for number, key in before.items() if key is not None]
    db.executemany("UPDATE entry SET owned_key = NULL WHERE number = ?", owning)
    let_go(db, [number for number, key in before.items() if key != after[number]])


def _owned_keys(db: Connection, numbers: Sequence[int]) -> dict[int, str | None]:
    """What stands for the e-mail that each of these rows owns, None for none; rows that are new are left out."""
    found: dict[int, str | None] = {}
    for some in chunks(numbers):
        found.update(db.execute(_OWNED.format(marks=marks(some)), tuple(some)).fetchall())
    return found
