"""The adaptive rules as tables: what was refused, and what is allowed then."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.model import Reply
from bulk_import.pace import flight
from bulk_import.pace.adapt import (
    BACK_TO,
    BRAKE,
    FEW,
    LONGEST_HOLD,
    Limit,
    Pace,
    Tally,
    after_refusal,
    allowed,
    bounded,
    counted,
    held,
    limit_hit,
    rate_shown,
)

RATE_LIMIT = {"error": {"code": "rate_limit"}}
LOCK_TIMEOUT = {"error": {"code": "lock_timeout"}}


@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        (Reply(429, RATE_LIMIT, limited_reason="endpoint-rate"), Limit.ENDPOINT_RATE),
        (Reply(429, RATE_LIMIT, limited_reason="global-rate"), Limit.GLOBAL_RATE),
        (Reply(429, RATE_LIMIT, limited_reason="endpoint-concurrency"), Limit.CONCURRENCY),
        (Reply(429, RATE_LIMIT, limited_reason="global-concurrency"), Limit.CONCURRENCY),
        (Reply(429, RATE_LIMIT, limited_reason="resource-specific"), None),
        (Reply(429, RATE_LIMIT, limited_reason="something-new"), None),
        (Reply(429, LOCK_TIMEOUT), None),
        (Reply(429, RATE_LIMIT), Limit.ENDPOINT_RATE),
        (Reply(400, RATE_LIMIT), Limit.ENDPOINT_RATE),
        (Reply(400, {"error": {"code": "email_invalid"}}), None),
        (Reply(429, None, fault="not-json"), Limit.ENDPOINT_RATE),
        (Reply(429, {"error": "slow down"}), Limit.ENDPOINT_RATE),
        (Reply(400, None, fault="not-json"), None),
        (Reply(200, {"id": "cus_1"}), None),
        (Reply(None, fault="timeout"), None),
    ],
)
def test_a_reply_names_the_limit_it_hit(reply: Reply, limit: Limit | None) -> None:
    assert limit_hit(reply) is limit


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [
        (0.0, 70.0),
        (0.999, 70.0),
        (1.0, 95.0),
        (2.0, 95.19),
        (11.0, 95.0 * 1.002**10),
        (26.7, 100.0),
        (1e9, 100.0),
    ],
)
def test_a_refused_rate_is_braked_for_a_second_and_then_felt_for_again(seconds: float, rate: float) -> None:
    pace = after_refusal(Pace(100.0), 50.0, 49.75)
    assert allowed(pace, 50.0 + seconds) == pytest.approx(rate, rel=1e-4)


def test_without_a_refusal_the_cap_is_allowed() -> None:
    assert allowed(Pace(20.0), 0.0) == 20.0


@pytest.mark.parametrize(
    ("now", "began", "refused"),
    [
        (50.2, 49.9, 100.0),  # sent before we braked
        (50.9, 50.5, 100.0),  # sent while braking, but that second is not over
        (51.2, 49.9, 100.0),  # a straggler of the same burst
        (51.1, 50.9, 70.0),  # even the braked rate was refused
        (51.5, 51.2, 95.0),
    ],
)
def test_a_burst_counts_once_and_the_rate_at_the_time_of_sending_is_what_was_refused(
    now: float, began: float, refused: float
) -> None:
    pace = after_refusal(Pace(100.0), 50.0, 49.75)
    assert after_refusal(pace, now, began).refused == pytest.approx(refused, rel=1e-3)


@given(
    st.floats(0.05, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 2), st.floats(0, 1000)), max_size=60),
)
def test_the_cap_is_never_passed_and_refusals_never_stop_us(
    cap: float, refusals: list[tuple[float, float, float]]
) -> None:
    pace, now = Pace(cap), 0.0
    for later, took, shown in refusals:
        now += later
        pace = bounded(after_refusal(pace, now, now - took), shown, now)
        for seconds in (0.0, 1.0, 1e6):
            assert min(1.0, cap) * BACK_TO * BRAKE <= allowed(pace, now + seconds) <= cap


def test_below_one_a_second_a_refusal_slows_no_further() -> None:
    assert allowed(after_refusal(Pace(1.2), 0.0, -1.0), 0.5) == 1.0
    assert allowed(after_refusal(Pace(0.25), 0.0, -1.0), 0.5) == 0.25


@pytest.mark.parametrize(
    ("retry_after", "until"),
    [(3.0, 13.0), (None, -math.inf), (0.0, -math.inf), (-1.0, -math.inf), (math.nan, -math.inf), (1e9, 610.0)],
)
def test_retry_after_is_honoured_within_reason(retry_after: float | None, until: float) -> None:
    assert held(Pace(20.0), 10.0, retry_after).hold_until == until
    assert until <= 10.0 + LONGEST_HOLD


def test_a_shorter_retry_after_does_not_end_a_longer_one() -> None:
    assert held(held(Pace(20.0), 0.0, 30.0), 1.0, 2.0).hold_until == 30.0


def tally(accepted: int, refused: int, seconds: float) -> Tally:
    times = [seconds * number / max(accepted - 1, 1) for number in range(accepted)]
    refusals = [seconds * number / max(refused - 1, 1) for number in range(refused)]
    return Tally(tuple(times), tuple(refusals))


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        (tally(25, 5, 1.0), math.inf),  # one in six refused: the usual brake is enough
        (tally(25, 75, 1.0), 25 / BRAKE),  # most refused: 25 a second is what is accepted
        (tally(25, 25, 0.5), 50 / BRAKE),  # after half a second it may still be fifty
        (tally(1, FEW - 1, 1.0), math.inf),  # too few to tell
        (tally(0, FEW, 1.0), 0.0),
    ],
)
def test_what_is_accepted_under_overload_shows_the_limit(heard: Tally, shown: float) -> None:
    assert rate_shown(heard, 1.0 if heard.accepted[-1:] != (0.5,) else 0.5) == pytest.approx(shown)


def test_a_limit_shown_within_the_burst_sharpens_the_brake_but_never_loosens_it() -> None:
    pace = after_refusal(Pace(500.0), 0.0, -0.25)
    pace = bounded(pace, 40.0, 0.2)
    assert allowed(pace, 0.3) == pytest.approx(28.0)
    assert bounded(pace, 60.0, 0.4) == pace
    assert after_refusal(pace, 1.1, 0.1) == pace  # sent before the brake was sharpened


def test_replies_are_forgotten_after_three_seconds() -> None:
    heard = Tally()
    for number in range(100):
        heard = counted(heard, number / 10, refused=number % 2 == 0)
    assert len(heard.accepted) + len(heard.refused) == 30
    assert min(heard.accepted + heard.refused) > 9.9 - 3.0


def test_places_follow_littles_law_with_head_room() -> None:
    sized = flight.flight_for(100.0, None)
    for _ in range(200):
        sized = flight.after_answer(sized, 0.25)
    assert 25 <= flight.places(sized, 0.0) <= 40


@pytest.mark.parametrize(("seconds", "places"), [(0.001, 4), (1000.0, 256)])
def test_places_stay_between_4_and_256(seconds: float, places: int) -> None:
    sized = flight.flight_for(100.0, None)
    for _ in range(200):
        sized = flight.after_answer(sized, seconds)
    assert flight.places(sized, 0.0) == places


@pytest.mark.parametrize(
    ("rate", "concurrency", "most"),
    [(20.0, None, 200), (0.1, None, 4), (500.0, None, 256), (None, None, 64), (20.0, 7, 7), (None, 1, 1)],
)
def test_no_more_are_in_flight_than_the_rate_or_the_user_asks_for(
    rate: float | None, concurrency: int | None, most: int
) -> None:
    beginning = flight.flight_for(rate, concurrency)
    assert beginning.most == most
    assert flight.places(beginning, 0.0) <= most


def test_a_concurrency_refusal_lowers_the_places_and_they_come_back_slowly() -> None:
    full = flight.flight_for(None, 20)
    lowered = flight.after_refusal(full, 10.0, 9.9, None)
    assert [flight.places(lowered, now) for now in (10.0, 11.0, 40.0, 3600.0)] == [14, 19, 20, 20]
    assert flight.places(flight.after_refusal(full, 10.0, 9.9, 5.0), 10.0) == 14


def test_one_place_is_always_left() -> None:
    lowered = flight.flight_for(None, 2)
    for now in range(0, 100, 2):
        lowered = flight.after_refusal(lowered, float(now), now - 0.1, None)
    assert flight.places(lowered, 98.5) == 1
