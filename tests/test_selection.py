"""Which rows a run is about: always as many as were asked for, spread evenly, the same ones again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.job.selection import Selection, for_live

counts = st.integers(0, 300)
asked = st.none() | st.integers(1, 320)


def chosen(selection: Selection) -> list[int]:
    return [n for n in range(1, selection.rows + 25) if selection.holds(n)]


@given(counts, asked, asked)
def test_as_many_rows_are_chosen_as_are_counted_and_none_beyond_the_source_or_the_limit(
    rows: int, limit: int | None, sample: int | None
) -> None:
    found = chosen(Selection(rows, limit, sample))
    assert len(found) == Selection(rows, limit, sample).count
    assert len(found) == min(n for n in (rows, limit, sample) if n is not None)
    assert all(1 <= n <= min(rows, limit or rows) for n in found)


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_sample_is_drawn_evenly(rows: int, sample: int) -> None:
    found = chosen(Selection(rows, None, sample))
    gaps = [b - a for a, b in zip([0, *found], found, strict=False)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert found[-1] == rows


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(5), [1, 2, 3, 4, 5]),
        (Selection(5, limit=2), [1, 2]),
        (Selection(5, limit=9), [1, 2, 3, 4, 5]),
        (Selection(10, sample=5), [2, 4, 6, 8, 10]),
        (Selection(10, limit=4, sample=2), [2, 4]),
        (Selection(3, sample=7), [1, 2, 3]),
        (Selection(0), []),
    ],
)
def test_rows_are_chosen_as_asked(selection: Selection, expected: list[int]) -> None:
    assert chosen(selection) == expected


@given(counts, asked, asked, st.sets(st.integers(1, 300)))
def test_what_is_left_are_the_chosen_rows_that_nobody_looked_at(
    rows: int, limit: int | None, sample: int | None, seen: set[int]
) -> None:
    marks = bytearray(rows + 1)
    for number in seen:
        if number <= rows:
            marks[number] = 1
    selection = Selection(rows, limit, sample)
    assert selection.left(marks) == len([n for n in chosen(selection) if n not in seen])


@pytest.mark.parametrize(
    ("rehearsed", "live"),
    [
        ("run a.csv --dry-run --sample 50 --cleanup --key id", "run a.csv --key id --live"),
        ("run 'a b.csv' --dry-run --api-base=http://127.0.0.1:5 --yes --limit=3", "run 'a b.csv' --live"),
        ("run a.csv --dry-run --ledger l.db --api-key-file k --rate 7", "run a.csv --rate 7 --live"),
    ],
)
def test_a_rehearsal_leads_to_the_live_run_of_all_rows(rehearsed: str, live: str) -> None:
    assert for_live(rehearsed) == live
