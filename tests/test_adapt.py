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
    LONGEST_HOLD,
    Limit,
    Pace,
    after_refusal,
    allowed,
    bounded,
    held,
    limit_hit,
    tried,
)
from bulk_import.pace.evidence import Evidence, answered, begun, forget_moments, is_chance, rate_shown

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
        (Reply(429, {"error": {"type": "invalid_request_error", "message": "Too many requests"}}), Limit.ENDPOINT_RATE),
        (Reply(429, {"error": {"code": "card_decline_rate_limit_exceeded"}}), None),
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
        (51.1, 50.9, 100.0),  # sent while braking: a limit far below shows otherwise, and this may be chance
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


def heard(began: int, refused: int, seconds: float, at: float = 100.0) -> Evidence:
    """So many starts evenly over so many seconds up to *at*, the last ones of them refused."""
    evidence, pace = Evidence(), Pace(1000.0)
    starts = [at - seconds + (n + 0.5) / began * seconds for n in range(began)]
    for start in starts:
        begun(evidence, start)
    for n, start in enumerate(starts):
        answered(evidence, pace, start, refused=n >= began - refused)
    return evidence


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        (heard(100, 4, 1.0), math.inf),  # too few to tell
        (heard(100, 9, 1.0), math.inf),  # the usual brake is enough
        (heard(30, 5, 1.0), 25 / BACK_TO),
        (heard(100, 75, 1.0), 25 / BRAKE),  # most refused: 25 a second is what is let through
        (heard(50, 25, 0.5), 50 / BRAKE),  # after half a second it may still be fifty
        (heard(5, 5, 1.0), 0.0),
    ],
)
def test_what_is_let_through_under_overload_shows_the_limit(evidence: Evidence, shown: float) -> None:
    assert rate_shown(evidence, 99.999) == pytest.approx(shown)


def test_it_does_not_matter_that_refusals_come_back_before_successes() -> None:
    evidence, pace = Evidence(), Pace(500.0)
    for n in range(500):
        begun(evidence, 100 + n / 500)
    for n in range(25, 500):
        answered(evidence, pace, 100 + n / 500, refused=True)  # not one success is heard yet
    assert rate_shown(evidence, 100.999) == pytest.approx(25 / BRAKE)


def test_a_limiter_that_counts_what_it_refuses_does_not_show_a_limit_of_nothing() -> None:
    evidence, pace = Evidence(), Pace(100.0)
    for n in range(200):
        begun(evidence, 100 + n / 100)
        answered(evidence, pace, 100 + n / 100, refused=n >= 25)
    assert rate_shown(evidence, 101.999) == pytest.approx(12.5 / BRAKE)


@pytest.mark.parametrize(
    ("slow", "usual", "chance"),
    [
        ((0, 0), (1, 15), False),  # slowing down is untried
        ((0, 70), (5, 100), False),  # it helped
        ((4, 70), (5, 100), True),  # it did not
        ((1, 70), (9, 100), False),  # it nearly did
    ],
)
def test_refusals_that_slowing_down_does_not_end_are_chance(
    slow: tuple[int, int], usual: tuple[int, int], chance: bool
) -> None:
    evidence, pace = Evidence(), Pace(100.0, 100.0, 10.0, 10.0)
    for (refused, count), at in ((slow, 10.5), (usual, 9.0)):
        for n in range(count):
            answered(evidence, pace, at, refused=n < refused)
    assert is_chance(evidence) is chance
    forget_moments(evidence)
    assert not is_chance(evidence)


def test_where_much_is_refused_it_is_no_chance() -> None:
    evidence, pace = heard(100, 30, 1.0), Pace(100.0, 100.0, 99.0, 99.0)
    for _ in range(10):
        answered(evidence, pace, 99.5, refused=True)
    assert not is_chance(evidence)


def test_a_test_slows_down_for_a_second_and_forgets_nothing() -> None:
    pace = Pace(100.0, 50.0, 0.0, 0.0)
    before = allowed(pace, 10.0)
    pace = tried(pace, 10.0)
    assert allowed(pace, 10.5) == pytest.approx(BRAKE * before, rel=0.01)
    assert allowed(pace, 11.0) == pytest.approx(before * 1.002)


def test_above_what_was_refused_growth_grows() -> None:
    pace = Pace(100.0, 25.0, 0.0, 0.0)
    assert allowed(pace, 27.0) == pytest.approx(25.0, rel=0.01)
    assert allowed(pace, 40.0) < 28.5
    assert allowed(pace, 80.0) == 100.0


def test_a_limit_shown_within_the_burst_sharpens_the_brake_but_never_loosens_it() -> None:
    pace = after_refusal(Pace(500.0), 0.0, -0.25)
    pace = bounded(pace, 40.0, 0.2)
    assert allowed(pace, 0.3) == pytest.approx(28.0)
    assert bounded(pace, 60.0, 0.4) == pace
    assert after_refusal(pace, 1.1, 0.1) == pace  # sent before the brake was sharpened


def test_a_small_correction_leaves_refusals_of_what_was_sent_before_it_their_say() -> None:
    pace = bounded(Pace(100.0, 50.0, 0.0, 0.0), 48.0, 2.0)
    assert (pace.refused, pace.changed_at) == (48.0, 0.0)
    assert after_refusal(pace, 2.1, 1.8).braked_at == 2.1


def test_starts_are_forgotten_after_twelve_seconds() -> None:
    evidence = Evidence()
    for number in range(1000):
        begun(evidence, number / 10)
    assert 12 / 0.05 / 2 <= len(evidence.bins) <= 12 / 0.05 + 1


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
    lowered = flight.after_refusal(full, 10.0, 9.9, None, 999, math.inf)
    assert [flight.places(lowered, now) for now in (10.0, 11.0, 40.0, 3600.0)] == [14, 19, 20, 20]
    assert flight.places(flight.after_refusal(full, 10.0, 9.9, 5.0, 999, math.inf), 10.0) == 14


def test_one_place_is_always_left() -> None:
    lowered = flight.flight_for(None, 2)
    for now in range(0, 100, 2):
        lowered = flight.after_refusal(lowered, float(now), now - 0.1, None, 999, math.inf)
    assert flight.places(lowered, 98.5) == 1
