from __future__ import annotations

import pytest

from bulk_import.report.table import aligned, closing_table, duration, grid, number, tally_pairs
from tests.cli_calls import summary


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"),
        (200, "3 min 20 s"), (3599.7, "1 h 0 min"), (10020, "2 h 47 min"), (86399.9, "1 d 0 h"), (273600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_durations_are_said_like_this(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (100.0, "100"),
        (98.64, "98.6"),
        (0.25, "0.25"),
        (0.0, "0"),
        (1234.5, "1,234.5"),
        (9.999, "10"),
        (0.1, "0.1"),
        (0.0005, "0.0005"),
        (0.0012345, "0.0012"),
    ],
)
def test_rates_are_said_like_this(value: float, text: str) -> None:
    assert number(value) == text


def test_only_statuses_with_rows_are_shown_and_always_created_and_failed() -> None:
    assert tally_pairs({"in_doubt": 2}, 5) == [("created", "0"), ("failed", "0"), ("in doubt", "2"), ("rows", "5")]


def test_counts_stand_under_each_others_last_digit() -> None:
    assert aligned([("a", "1,000"), ("long", "7"), ("b", "text")]) == ["  a     1,000", "  long      7", "  b     text"]


def test_the_table_says_rows_requests_pace_time_and_ledger() -> None:
    lines = closing_table(summary(failed=2, rows=2005, created=2003, rate_limited=3, seconds=200.0), 20.0)
    assert lines == [
        "  created   2,003",
        "  failed        2",
        "  rows      2,005",
        "  requests  4 (create 3, list 1, 3 answered 429)",
        "  rate      19.5 of 20 requests/s, 1.5 rows/s",
        "  time      3 min 20 s",
        "  ledger    people.csv.ledger.db",
    ]


def test_a_run_that_sent_nothing_has_no_rate() -> None:
    lines = closing_table(summary(requests=0, requests_by_endpoint={}), 20.0)
    assert not any("rate" in line for line in lines)


def test_a_grid_is_as_wide_as_its_widest_cells() -> None:
    assert grid(("row", "what"), [("1", "a"), ("10", "longer")], indent="") == ["row  what", "  1  a", " 10  longer"]
    assert grid(("row", "what"), [], indent="") == ["row  what"]
