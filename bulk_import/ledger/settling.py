"""Rows are settled: what their columns say then, and how that comes into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from bulk_import.ledger.arrows import is_allowed, sources_of
from bulk_import.ledger.chunks import execute_for_all
from bulk_import.ledger.database import Connection, changing
from bulk_import.ledger.purpose import KeyOf, MethodOf
from bulk_import.model import (
    Created,
    Duplicate,
    Existing,
    Failed,
    InDoubt,
    Invalid,
    Refusal,
    Released,
    Row,
    Settled,
    Status,
    Updated,
)
from bulk_import.prepare.keeping import NOT_AS_GIVEN

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
UPDATE OR ROLLBACK entry SET status = new.column1, customer_id = new.column2, owner = new.column3, doubt = new.column4,
    error_type = new.column5, error_code = new.column6, error_param = new.column7, error_message = new.column8,
    http_status = new.column9, request_id = new.column10, attempts = attempts + new.column11,
    attempted_at = coalesce(new.column12, attempted_at), settled_at = new.column13
FROM (VALUES {rows}) AS new WHERE number = new.column14 AND +status IN (BEFORE)
"""
# A statement of many rows that could fail alone is undone out of a file of SQLite's own: two writes for each page it
# touches. Here no statement fails alone: what one could not do takes its whole commit back.
_ATTACHED = """
UPDATE image SET attached = ?1 WHERE number = ?2 AND generation = (SELECT generation FROM entry WHERE number = ?2)
"""

_NOTHING = Refusal()


def settle(db: Connection, settled: Sequence[Settled], key_of: KeyOf, method_of: MethodOf, now: float) -> None:
    """Write what became of rows at the moment *now* (seconds since the epoch); those that are new come in before."""
    db.executemany(_ENTER, [_entrance(s, key_of, method_of) for s in settled if s.row is not None])
    by_status: dict[Status, list[tuple[Any, ...]]] = {}
    for s in settled:
        status, columns = columns_of(s, now)
        by_status.setdefault(status, []).append(columns)
    # A row may be refused and taken back in one commit: taking back comes last.
    for status, rows in sorted(by_status.items(), key=lambda item: item[0] is Status.PENDING):
        with changing(db, len(rows), f"every one of these {len(rows)} rows may become {status}"):
            if is_allowed(status, status):  # a row may come twice, and then each time counts
                db.executemany(_SETTLE.replace("BEFORE", sources_of(status)), rows)
            else:
                execute_for_all(db, _SETTLE_ALL.replace("BEFORE", sources_of(status)), rows)
    db.executemany(_ATTACHED, [(s.attached, s.number) for s in settled if s.attached is not None])


def _entrance(s: Settled, key_of: KeyOf, method_of: MethodOf) -> tuple[Any, ...]:
    row = s.row
    assert row is not None  # noqa: S101 - the caller filtered
    method = method_of(row.method) if _owns(s) else None
    return (row.number, row.line, row.source_id, row.email, key_once_settled(s, key_of), method)


def key_once_settled(s: Settled, key_of: KeyOf) -> str | None:
    """What stands for the e-mail that a row owns once it is settled so."""
    return key_of(s.row.email_key) if _owns(s) and isinstance(s.row, Row) else None


def _owns(s: Settled) -> bool:
    return isinstance(s.outcome, Existing | Failed) and isinstance(s.row, Row)


def columns_of(s: Settled, now: float) -> tuple[Status, tuple[Any, ...]]:
    """The status that *s* brings its row to, and the values of its columns, the row's number last."""
    customer: str | None = None
    owner: int | None = None
    doubt: str | None = None
    refusal = _NOTHING
    match s.outcome:
        case Created(customer_id, request_id):
            status, customer, refusal = Status.CREATED, customer_id, Refusal(request_id=request_id)
        case Updated(customer_id, request_id, note):
            status, customer = Status.UPDATED, customer_id
            refusal = Refusal(request_id=request_id, message=note)
        case Existing(customer_id, note):
            status, customer, refusal = Status.EXISTING, customer_id, Refusal(message=note)
        case Duplicate(owner_number):
            status, owner = Status.DUPLICATE, owner_number
        case Failed(why):
            status, refusal = Status.FAILED, why
        case InDoubt(why, how):
            status, refusal, doubt = Status.IN_DOUBT, why, how.value
        case Invalid():
            status, refusal = Status.INVALID, why_invalid(s.outcome)
        case Released():
            status = Status.PENDING
        case _:
            assert_never(s.outcome)
    settled_at = None if status in (Status.IN_DOUBT, Status.PENDING) else now
    return status, (
        status.value, customer, owner, doubt, refusal.type, refusal.code, refusal.param, refusal.message,
        refusal.http_status, refusal.request_id, s.attempts, s.attempted_at, settled_at, s.number,
    )  # fmt: skip


def why_invalid(row: Invalid) -> Refusal:
    """Tell every problem of an invalid row in the export's words: code and param of the first, all messages.

    One that keeps the row from being sent out of the ledger comes before any other.
    """
    first = next((problem for problem in row.problems if problem.rule in NOT_AS_GIVEN), row.problems[0])
    return Refusal(
        type="invalid_row",
        code=first.rule,
        param=first.param or first.column,
        message=" ".join(problem.message for problem in row.problems),
    )
