"""What the columns of a row say once it is settled."""

from __future__ import annotations

from typing import Any, assert_never

from bulk_import.model import (
    Created,
    Duplicate,
    Existing,
    Failed,
    InDoubt,
    Invalid,
    Refusal,
    Released,
    Settled,
    Status,
    Updated,
)
from bulk_import.prepare.keeping import NOT_AS_GIVEN

_NOTHING = Refusal()


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
