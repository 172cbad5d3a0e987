"""How long a key protects, on a clock that may lie."""

from __future__ import annotations

import pytest

from bulk_import.age import CLOCK_TOLERANCE, KEY_LIFE, has_jumped, is_young

NOW = 1_790_000_000.0
HOUR = 3600.0


@pytest.mark.parametrize(
    ("age", "young"),
    [
        (0.0, True),
        (22.99 * HOUR, True),
        (23 * HOUR - 1, True),
        (23 * HOUR, False),
        (24 * HOUR, False),
        (400 * HOUR, False),
        (-1.0, True),
        (-300.0, True),
        (-301.0, False),
        (-24 * HOUR, False),
    ],
)
def test_a_key_protects_for_23_hours_and_never_from_the_future(age: float, young: bool) -> None:
    assert is_young(NOW - age, NOW) is young


def test_a_key_is_given_up_a_full_hour_before_stripe_may_forget_it() -> None:
    assert 24 * HOUR - KEY_LIFE >= HOUR > CLOCK_TOLERANCE


@pytest.mark.parametrize(
    ("then", "now", "jumped"),
    [(5.0, 5.0, False), (0.0, 300.0, False), (0.0, 300.5, True), (300.5, 0.0, True), (NOW, NOW - 4000, True)],
)
def test_a_clock_that_moved_more_than_five_minutes_against_boot_time_has_jumped(
    then: float, now: float, jumped: bool
) -> None:
    assert has_jumped(then, now) is jumped
