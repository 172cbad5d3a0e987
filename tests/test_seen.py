"""Repeated keys are told with both rows, whatever the order and however many there are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.ledger import seen
from bulk_import.ledger.seen import Seen


def repeated(keys: list[str]) -> list[tuple[int, int, int, int]]:
    """What a plain dictionary says, rows being counted from 1 and lines from 2."""
    first: dict[str, int] = {}
    numbered = enumerate(keys, 1)
    return [(row, row + 1, first[key], first[key] + 1) for row, key in numbered if first.setdefault(key, row) != row]


@given(
    keys=st.lists(st.sampled_from([f"u{n}" for n in range(40)]), max_size=60),
    run=st.integers(1, 20),
    piece=st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_later_sightings_are_told_with_the_first(keys: list[str], run: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Seen() as found:
        patch.setattr(seen, "RUN", run)
        for at in range(0, len(keys), piece):
            some = keys[at : at + piece]
            found.add(some, range(at + 1, at + 1 + len(some)), range(at + 2, at + 2 + len(some)))
        assert list(found.repeated()) == repeated(keys)


def test_a_key_added_late_for_an_early_row_is_still_the_first() -> None:
    with Seen() as found:
        found.add(["a", "b"], [5, 6], [50, 60])
        found.add(["a"], [2], [20])
        assert list(found.repeated()) == [(5, 50, 2, 20)]


def test_more_repeated_keys_than_are_asked_at_a_time_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MOST_ASKED", 7)
    keys = [f"u{number % 50}" for number in range(150)]
    with Seen() as found:
        found.add(keys, range(1, 151), range(2, 152))
        assert sorted(found.repeated()) == repeated(keys)
