"""Mended fields come into the ledger, all of them in one commit and before anything of them is sent.

From then on the ledger alone knows what is to be sent: whatever ends the command, a retry goes on with what was mended.
Such a row has failed and was not sent since; it owns its old e-mail and payment method only where they are still its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import NamedTuple

from bulk_import.ledger.arrows import is_allowed
from bulk_import.ledger.chunks import AT_ONCE, chunks, execute_for_all, marks
from bulk_import.ledger.database import Connection, Disagrees
from bulk_import.ledger.payload import PAYLOAD, to_json
from bulk_import.ledger.purpose import KeyOf, MethodOf
from bulk_import.ledger.settling import why_invalid
from bulk_import.model import Invalid, Prepared, Row, Status

MENDED = "mended"
"""The error code of a row that is to be sent with what the ledger holds of it, and was not yet."""

_TO_SEND = """
UPDATE entry SET status = 'failed', owner = NULL, generation = generation + 1, doubt = NULL, error_type = 'not_sent',
    error_code = 'mended', error_param = NULL, error_message = SAID, http_status = NULL, request_id = NULL,
    attempts = 0, attempted_at = NULL, settled_at = NULL
"""
# The generation tells these rows from those that hold nothing but what the source does: those are of generation 0.
_MEND = (
    _TO_SEND.replace("SAID", "'its fields were mended and not sent yet; retry sends them'")
    + """,
    email = new.column1, source_id = coalesce(new.column2, source_id), owned_key = new.column3, owned_method = new.column4
FROM (VALUES {rows}) AS new WHERE number = new.column5
"""
)
_LET_GO = (
    _TO_SEND.replace("SAID", "'the row that it repeated goes another way, and it was not sent yet; retry sends it'")
    + """
FROM (VALUES {rows}) AS new WHERE number = new.column1
"""
)
_SPOIL = """
UPDATE entry SET status = 'invalid', owner = NULL, generation = generation + 1, email = new.column1,
    source_id = coalesce(new.column2, source_id), owned_key = NULL, owned_method = NULL, doubt = NULL, error_type = new.column3,
    error_code = new.column4, error_param = new.column5, error_message = new.column6, http_status = NULL, request_id = NULL,
    attempts = 0, attempted_at = NULL, settled_at = new.column7
FROM (VALUES {rows}) AS new WHERE number = new.column8
"""
_FOLLOWERS = "SELECT number FROM entry WHERE owner IN ({marks}) AND +status = 'duplicate'"
_STANDINGS = """
SELECT e.number, e.status, e.owned_key, e.owned_method, o.owned_key FROM entry e LEFT JOIN entry o ON o.number = e.owner
WHERE e.number IN ({marks})
"""


class Standing(NamedTuple):
    """Where a row stands: what it owns, and the e-mail of the row that it follows."""

    status: Status
    owned_key: str | None
    owned_method: str | None
    followed: str | None


class TakenOver(NamedTuple):
    """What came of mended rows, by their numbers in row order: to be sent now, or invalid still."""

    to_send: array[int]
    invalid: array[int]


def mend(db: Connection, rows: Iterable[Prepared], key_of: KeyOf, method_of: MethodOf, now: float) -> TakenOver:
    """Take over the fields of *rows*, which come in their order, at the moment *now* (seconds since the epoch).

    A duplicate that still has its owner's e-mail goes on following it. A row whose e-mail has changed lets its duplicates
    go, and those are to be sent, too. What is invalid still is settled as that: it may be kept masked, and nobody may send
    that. *key_of* and *method_of* say what stands for an e-mail and a payment method in the ledger.
    """
    own_way, freed, invalid, left = array("q"), array("q"), array("q"), iter(rows)
    while piece := list(islice(left, AT_ONCE)):
        standings = _standings(db, [row.number for row in piece])
        spoiled = [row for row in piece if isinstance(row, Invalid)]
        sound = [row for row in piece if isinstance(row, Row) and not _follows(row, standings, key_of)]
        moved = [row.number for row in sound if key_of(row.email_key) != standings[row.number].owned_key]
        execute_for_all(db, PAYLOAD, [(row.number, None, to_json(row.fields)) for row in piece])
        execute_for_all(db, _SPOIL, [_spoiled(row, now) for row in spoiled])
        execute_for_all(db, _MEND, [_mended(row, standings[row.number], key_of, method_of) for row in sound])
        own_way.extend(row.number for row in sound)
        invalid.extend(row.number for row in spoiled)
        freed.extend(let_go(db, [*moved, *(row.number for row in spoiled)]))
    # A row that one of the others has let go may come later with mended fields of its own.
    sent = frozenset(freed).difference(invalid)
    return TakenOver(array("q", (number for number, _ in groupby(merge(own_way, sorted(sent))))), invalid)


def let_go(db: Connection, owners: Sequence[int], only: str = "") -> list[int]:
    """Duplicates of *owners*, or *only* some of them, become rows of their own, to be sent as the ledger holds them."""
    _may_be_mended(Status.DUPLICATE)
    freed: list[int] = []
    for some in chunks(owners):
        found = db.execute(_FOLLOWERS.format(marks=marks(some)) + only, tuple(some)).fetchall()
        freed += [number for (number,) in found]
    execute_for_all(db, _LET_GO, [(number,) for number in freed])
    return freed


def _standings(db: Connection, numbers: Sequence[int]) -> dict[int, Standing]:
    found = db.execute(_STANDINGS.format(marks=marks(numbers)), tuple(numbers)).fetchall()
    standings = {number: Standing(Status(status), *owned) for number, status, *owned in found}
    for number in numbers:
        _may_be_mended(standings[number].status if number in standings else Status.PENDING)
    return standings


def _follows(row: Row, standings: Mapping[int, Standing], key_of: KeyOf) -> bool:
    stands, key = standings[row.number], key_of(row.email_key)
    return stands.status is Status.DUPLICATE and key is not None and key == stands.followed


def _mended(row: Row, stands: Standing, key_of: KeyOf, method_of: MethodOf) -> tuple[str | int | None, ...]:
    key, method = key_of(row.email_key), method_of(row.method)
    owned = key if key == stands.owned_key else None, method if method == stands.owned_method else None
    return (row.email, row.source_id, *owned, row.number)


def _spoiled(row: Invalid, now: float) -> tuple[str | float | None, ...]:
    why = why_invalid(row)
    return row.email, row.source_id, why.type, why.code, why.param, why.message, now, row.number


def _may_be_mended(status: Status) -> None:
    """Only what was refused, here or there, or follows a row that was; the table of states has the last word."""
    allowed = is_allowed(status, Status.FAILED) and is_allowed(status, Status.INVALID)
    if status not in (Status.FAILED, Status.INVALID, Status.DUPLICATE) or not allowed:
        raise Disagrees("every mended row may become one to be sent")
