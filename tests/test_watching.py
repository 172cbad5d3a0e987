"""How long a run still takes: by the smaller of what is allowed and what is measured, and measured of rows alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bulk_import.job.watching import Watch
from bulk_import.ledger import Tally
from bulk_import.model import Created, Settled

Story = Sequence[tuple[float, int]]
"""Moments, in seconds, at which so many more rows have come to disk."""


def told(story: Story, *, cap: float | None, rows: int = 1000) -> list[float | None]:
    """The time left as it is told at each moment of the story."""
    gate: Any = SimpleNamespace(starts=Counter(), rate_limited=0, in_flight=0)
    clock = [0.0]
    watch = Watch(gate, lambda: clock[0], cap)
    watch.begin(rows, Tally(rows, {}, 0))
    left: list[float | None] = []
    for moment, settled in story:
        clock[0] = moment
        watch.written([Settled(1, Created("cus_1"), None, 1)] * settled)
        left.append(watch.progress().seconds_left)
    return left


@pytest.mark.parametrize(
    ("story", "cap", "left"),
    [
        ([(0.1, 0)], 20.0, [50.0]),
        ([(0.1, 0)], None, [None]),
        # Listing the account for a minute says nothing of rows, and neither do their first moments.
        ([(60.0, 0), (61.0, 5), (62.0, 5)], 20.0, [50.0, 49.75, 49.5]),
        # Then the slower of cap and measured: five a second here.
        ([(61.0, 5), (62.0, 5), (64.0, 10), (66.0, 10)], 20.0, [49.75, 49.5, 196.0, 194.0]),
        ([(1.0, 50), (5.0, 200), (6.0, 50)], 40.0, [23.75, 18.75, 17.5]),
        # What has stopped altogether is told by what is allowed; nothing is left of what is done.
        ([(1.0, 50), (30.0, 0), (60.0, 0)], 10.0, [95.0, 95.0, 95.0]),
        ([(1.0, 1000)], 10.0, [0.0]),
    ],
)
def test_time_left_is_true_from_the_first_moment_on(story: Story, cap: float | None, left: list[float | None]) -> None:
    assert told(story, cap=cap) == [pytest.approx(each) if each is not None else None for each in left]


def test_before_the_rows_are_known_no_time_is_left_to_be_told() -> None:
    assert told([(30.0, 0)], cap=20.0, rows=0) == [None]


def test_a_command_that_settles_nobody_tells_the_time_left_by_what_it_looked_at() -> None:
    gate: Any = SimpleNamespace(starts=Counter(), rate_limited=0, in_flight=0)
    clock = [0.0]
    watch = Watch(gate, lambda: clock[0])
    watch.rows = 100
    seen = []
    for moment, looked_at in ((0.5, 0), (1.0, 10), (6.0, 60), (10.0, 100)):
        clock[0] = moment
        watch.looked_at(looked_at)
        now = watch.progress()
        seen.append((now.settled, now.seconds_left))
    assert seen == [(0, None), (10, None), (60, pytest.approx(4.0)), (100, 0.0)]
