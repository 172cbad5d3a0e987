"""Repeated keys are told with both rows, whatever the order and however many there are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.errors import StoppedEarly
from bulk_import.ledger import seen
from bulk_import.ledger.seen import Contested, Seen, Sighting, contested


def repeated(keys: list[str]) -> list[tuple[int, int, list[int]]]:
    """What plain counting says: each row of a repeated key, its line (counted from 2), and all rows of that key."""
    rows = {key: [row for row, other in enumerate(keys, 1) if other == key] for key in set(keys)}
    return [(row, row + 1, rows[key]) for row, key in enumerate(keys, 1) if len(rows[key]) > 1]


def told(found: Seen) -> list[tuple[int, int, list[int]]]:
    sightings = list(found.sightings(found.repeated()))
    return [(s.row, s.line, [o.row for o in sightings if o.key == s.key]) for s in sightings]


@given(
    keys=st.lists(st.sampled_from([f"u{n}" for n in range(40)]), max_size=60),
    run=st.integers(1, 20),
    piece=st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_the_rows_of_repeated_keys_are_told_in_row_order(keys: list[str], run: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Seen() as found:
        patch.setattr(seen, "RUN", run)
        for at in range(0, len(keys), piece):
            some = keys[at : at + piece]
            found.add(some[::-1], range(at + len(some), at, -1), range(at + len(some) + 1, at + 1, -1))
            found.pause()
        assert told(found) == repeated(keys)


def test_a_full_disk_under_the_temporary_file_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w+b") as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
        found = Seen()
        found.add(["ann@example.com"], [1], [2])
        with pytest.raises(StoppedEarly, match=r"No space left on device.*TMPDIR"):
            found.repeated()
        found.close()


def test_rows_with_both_keys_repeated_come_once_and_all_in_row_order() -> None:
    emails = [Sighting(1, 2, 0), Sighting(4, 5, 0), Sighting(9, 10, 1)]
    methods = [Sighting(2, 3, 0), Sighting(4, 5, 0)]
    expected = [(1, 2, 0, None), (2, 3, None, 0), (4, 5, 0, 0), (9, 10, 1, None)]
    assert list(contested(emails, methods)) == [Contested(*one) for one in expected]


def test_more_repeated_keys_than_are_hashed_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "MOST_HASHED", 7)
    keys = [f"u{number % 50}" for number in range(150)]
    with Seen() as found:
        found.add(keys, range(1, 151), range(2, 152))
        assert told(found) == repeated(keys)
