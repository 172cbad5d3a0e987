from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bulk_import.job.selection import for_all_rows, for_code
from bulk_import.job.telling import Told
from bulk_import.ledger import Line


def line(row: int, status: str, customer: str | None = None, owner: int | None = None) -> Line:
    return Line(row, row + 1, None, None, status, customer, owner, None, None, None, None, None, None, 0, None)


def asked(numbers: Sequence[int]) -> Iterator[Line]:
    return (line(number, "duplicate", "cus_1", 1) for number in numbers)


def told(lines: Sequence[Line]) -> list[tuple[int, str | None]]:
    return [(one.row, one.customer_id) for one in lines]


def test_a_duplicate_is_told_when_its_owner_is_settled() -> None:
    telling = Told(asked)
    assert told(telling.known([line(2, "duplicate", None, 1), line(3, "invalid")])) == [(3, None)]
    assert told(telling.known([line(1, "created", "cus_1")])) == [(1, "cus_1"), (2, "cus_1")]
    assert telling.rest() == []


def test_a_duplicate_of_a_settled_row_is_told_at_once() -> None:
    telling = Told(asked)
    assert told(telling.known([line(2, "duplicate", "cus_1", 1)])) == [(2, "cus_1")]


def test_a_duplicate_whose_owner_stays_open_is_told_at_the_end() -> None:
    telling = Told(asked)
    assert telling.known([line(4, "duplicate", None, 1), line(2, "duplicate", None, 1), line(1, "in_doubt")]) != []
    assert [one.row for one in telling.rest()] == [2, 4]


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("bulk-import run a.csv --limit 10 --live", "bulk-import run a.csv --live"),
        ("bulk-import run a.csv --sample=5", "bulk-import run a.csv"),
        ("bulk-import run 'a b.csv' --rate 5", "bulk-import run 'a b.csv' --rate 5"),
    ],
)
def test_a_line_for_all_rows_is_the_same_without_what_chose_some(typed: str, whole: str) -> None:
    assert for_all_rows(typed) == whole


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("bulk-import retry l.db --with 'f 1.csv' --rate 5 --live", "bulk-import retry l.db --rate 5 --live"),
        ("bulk-import retry l.db --with=f.csv --encoding cp1252 --no-header", "bulk-import retry l.db"),
        ("bulk-import retry l.db --only failed --code card_declined --yes", "bulk-import retry l.db --yes"),
    ],
)
def test_a_retry_of_what_is_left_mended_needs_no_file(typed: str, rest: str) -> None:
    assert for_code(typed, "mended") == f"{rest} --code mended"
