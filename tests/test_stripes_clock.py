"""What is believed of Stripe's clock: lists begin where it has surely been, whatever the other clocks say."""

from __future__ import annotations

import pytest

from bulk_import.engine.stripes_clock import FUTURE, StripesClock
from bulk_import.model import Endpoint, Reply

TRUE = 1_790_000_000.0
"""Stripe's own clock when an answer comes; a create was made a fifth of a second before."""


def customer(made: float = TRUE - 0.2, **changes: object) -> dict[str, object]:
    return {"id": "cus_1", "object": "customer", "created": int(made), **changes}


def told(ours: float, dated: float | None, *bodies: dict[str, object], replayed: bool = False) -> float | None:
    """What is known to have passed after these creates, with our clock and their dates so far off."""
    clock = StripesClock(lambda: TRUE + ours)
    date = None if dated is None else TRUE + dated
    clock.heard(Endpoint.ACCOUNT, Reply(200, {"id": "acct_1"}, stripe_time=date))
    for body in bodies:
        clock.heard(Endpoint.CREATE, Reply(200, body, stripe_time=date, replayed=replayed))
    return None if clock.passed is None else clock.passed - TRUE


@pytest.mark.parametrize("ours", [0.0, -7200.0, 7200.0])
@pytest.mark.parametrize("dated", [0.0, -7200.0, 1200.0, FUTURE - 7201])
def test_no_list_begins_after_now_once_a_customer_was_made(ours: float, dated: float) -> None:
    passed = told(ours, dated, customer(), customer())
    assert passed is not None
    assert min(dated, -2.0) <= passed <= 0.0


@pytest.mark.parametrize(("ours", "dated"), [(0.0, 1200.0), (1200.0, 0.0), (-30.0, 5.0), (-30.0, -5.0)])
def test_until_then_the_earlier_of_two_clocks_counts(ours: float, dated: float) -> None:
    assert told(ours, dated) == min(ours, dated)


@pytest.mark.parametrize("dated", [None, FUTURE + 1, 1e9])
def test_without_a_date_that_can_be_believed_nothing_is_known(dated: float | None) -> None:
    assert told(0.0, dated, customer()) is None


@pytest.mark.parametrize(
    ("body", "replayed"),
    [
        (customer(TRUE - 80_000), True),
        (customer(TRUE - 80_000, test_clock="clock_1"), False),
        ({"id": "cus_1", "created": None}, False),
        ({"id": "cus_1", "created": "1"}, False),
        ({"error": {"code": "x"}, "created": 1}, False),
    ],
)
def test_what_was_made_long_ago_or_in_another_time_says_nothing(body: dict[str, object], replayed: bool) -> None:
    assert told(0.0, 1200.0, body, replayed=replayed) == 0.0
