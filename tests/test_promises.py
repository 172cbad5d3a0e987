"""The oracle itself: each promise, once broken, is noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bulk_import.ledger import Line
from tests.promises import Seen, Sent, check, finished_code, worst_second

TOKEN = "0123456789abcdef"


def line(row: int, status: str = "created", **changes: Any) -> Line:
    values: dict[str, Any] = {
        "row": row, "line": row + 1, "source_id": None, "email": f"p{row}@example.com", "status": status,
        "customer_id": f"cus_{row}" if status in ("created", "existing", "updated") else None, "duplicate_of": None,
        "error_type": None, "error_code": None, "error_param": None,
        "error_message": "why" if status in ("failed", "invalid", "in_doubt") else None, "http_status": None, "request_id": None,
        "attempts": 1, "settled_at": None,
    }  # fmt: skip
    return Line(**{**values, **changes})


def customer(row: int, **changes: Any) -> dict[str, Any]:
    metadata = {"bulk_import": f"{TOKEN}:{row}:0"}
    return {"id": f"cus_{row}", "email": f"P{row}@example.com", "metadata": metadata, **changes}


def seen(lines: Sequence[Line], *customers: Mapping[str, Any], sent: Sequence[Sent] = (), **more: Any) -> Seen:
    return Seen(lines, {str(c["id"]): c for c in customers}, sent, **more)


WHOLE = seen(
    [line(1), line(2, "failed"), line(3, "in_doubt"), line(4, "existing")],
    customer(1),
    customer(4, metadata={}),
    sent=[Sent(0.0, "k1", b"a"), Sent(0.5, "k1", b"a"), Sent(0.9, "k2", b"b")],
    strangers={"cus_4"},
)


def test_a_whole_ledger_keeps_every_promise() -> None:
    check(WHOLE, 6, cap=3)


BROKEN: dict[str, Seen] = {
    "a row is lost": replace(WHOLE, lines=[line(1), line(3)]),
    "a row is there twice": replace(WHOLE, lines=[line(1), line(1)]),
    "a status is none": replace(WHOLE, lines=[line(1, "claimed")]),
    "a success has no customer": replace(WHOLE, lines=[line(1, customer_id=None)]),
    "a failure has a customer": replace(WHOLE, lines=[line(1, "failed", customer_id="cus_1")]),
    "a failure has no reason": replace(WHOLE, lines=[line(1), line(2, "failed", error_message=None)]),
    "a person is there twice": seen([line(1)], customer(1), customer(2, email="p1@EXAMPLE.com", metadata={})),
    "a row is made twice": seen([line(1)], customer(1), customer(1, id="cus_9", email=None)),
    "a customer is not there": seen([line(1)]),
    "a customer is another's": seen([line(1)], customer(1, email="p2@example.com")),
    "two rows made one customer": seen([line(1), line(2, customer_id="cus_1", email=None)], customer(1)),
    "a customer is in no row": seen([line(1), line(2, "failed")], customer(1), customer(2)),
    "a key has two bodies": replace(WHOLE, sent=[Sent(0.0, "k", b"a"), Sent(9.0, "k", b"b")]),
    "a second has too many": replace(WHOLE, sent=[Sent(t) for t in (0.0, 0.3, 0.6, 1.0)]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_every_broken_promise_is_noticed(broken: Seen) -> None:
    with pytest.raises(AssertionError):
        check(broken, cap=3)


@pytest.mark.parametrize("code", [0, 1])
def test_an_exit_code_that_does_not_follow_from_the_ledger_is_noticed(code: int) -> None:
    with pytest.raises(AssertionError):
        check(WHOLE, code)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([line(1), line(2, "duplicate", customer_id="cus_1", duplicate_of=1)], 0),
        ([line(1), line(2, "failed")], 1),
        ([line(1), line(2, "invalid"), line(3, "in_doubt")], 6),
        ([line(1), line(2, "in_doubt"), line(3, "pending")], 3),
    ],
)
def test_the_code_of_a_finished_run_follows_from_its_lines(lines: list[Line], code: int) -> None:
    assert finished_code(lines) == code


def test_the_worst_second_counts_both_its_ends() -> None:
    assert worst_second([]) == 0
    assert worst_second([0.0, 0.5, 1.0, 1.1, 2.2]) == 3
