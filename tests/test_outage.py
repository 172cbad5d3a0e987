"""The network-gone rule as tables of what was heard and what follows."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.model import Reply
from bulk_import.pace.outage import (
    LOST_AT_FIRST,
    LOST_IN_A_ROW,
    SICK_IN_A_ROW,
    Reach,
    Sign,
    after_reply,
    gives_up_at,
    is_hopeless,
    next_start_at,
    probe_begun,
    probe_delay,
    probe_over,
    sign_of,
)

WELL, SICK, LOST = Sign.WELL, Sign.SICK, Sign.LOST
KNOWN = Reach(answered=True)


def heard(*signs: Sign, reach: Reach = KNOWN, every: float = 1.0) -> Reach:
    for number, sign in enumerate(signs):
        reach = after_reply(reach, sign, number * every, 0.5)
    return reach


@pytest.mark.parametrize(
    ("reply", "sign"),
    [
        (Reply(200, {"id": "cus_1"}), WELL),
        (Reply(402, {"error": {}}), WELL),
        (Reply(429, {"error": {}}), WELL),
        (Reply(500, {"error": {}}), SICK),
        (Reply(503, fault="not-json"), SICK),
        (Reply(200, fault="not-json"), SICK),
        (Reply(None, fault="connect"), LOST),
        (Reply(None, fault="timeout"), LOST),
        (Reply(None, fault="truncated"), LOST),
    ],
)
def test_a_reply_is_a_sign_of_health(reply: Reply, sign: Sign) -> None:
    assert sign_of(reply) is sign


@pytest.mark.parametrize(
    ("signs", "paused"),
    [
        ([LOST] * (LOST_IN_A_ROW - 1), None),
        ([LOST] * LOST_IN_A_ROW, LOST),
        ([*[LOST] * (LOST_IN_A_ROW - 1), WELL, LOST], None),
        ([*[LOST, SICK] * (LOST_IN_A_ROW - 1), LOST], LOST),
        ([SICK] * (SICK_IN_A_ROW - 1), None),
        ([SICK] * SICK_IN_A_ROW, SICK),
        ([*[SICK] * (SICK_IN_A_ROW - 1), WELL, *[SICK] * (SICK_IN_A_ROW - 1)], None),
        ([*[LOST] * LOST_IN_A_ROW, LOST, LOST], LOST),
        ([*[LOST] * LOST_IN_A_ROW, SICK], None),
        ([*[LOST] * LOST_IN_A_ROW, WELL], None),
        ([*[SICK] * SICK_IN_A_ROW, LOST, SICK], SICK),
        ([*[SICK] * SICK_IN_A_ROW, WELL], None),
    ],
)
def test_the_run_pauses_after_failures_that_nothing_interrupts(signs: list[Sign], paused: Sign | None) -> None:
    reach = heard(*signs)
    assert (reach.pause.cause if reach.pause else None) is paused


def test_before_stripe_ever_answered_a_second_failure_is_enough() -> None:
    assert heard(*[LOST] * (LOST_AT_FIRST - 1), reach=Reach()).pause is None
    assert heard(*[LOST] * LOST_AT_FIRST, reach=Reach()).pause is not None


@pytest.mark.parametrize(
    ("reach", "failures", "fault", "hopeless"),
    [
        (Reach(), LOST_AT_FIRST, "certificate", True),
        (Reach(), LOST_AT_FIRST - 1, "certificate", False),
        (Reach(), LOST_AT_FIRST, "connect", False),
        (Reach(), LOST_AT_FIRST, "tls", False),
        (KNOWN, LOST_IN_A_ROW, "certificate", False),
    ],
)
def test_only_a_certificate_that_was_never_trusted_is_not_waited_for(
    reach: Reach, failures: int, fault: str, hopeless: bool
) -> None:
    assert is_hopeless(heard(*[LOST] * failures, reach=reach), fault) is hopeless


def test_without_a_pause_starts_are_free_and_nothing_is_given_up() -> None:
    assert next_start_at(KNOWN) == -math.inf
    assert gives_up_at(heard(LOST), 900) == math.inf


def test_in_a_pause_one_probe_goes_at_its_time_and_no_other_until_it_is_back() -> None:
    reach = heard(*[LOST] * LOST_IN_A_ROW)
    assert next_start_at(reach) == 4.0 + 1.0
    reach = probe_begun(reach, 5.0)
    assert next_start_at(reach) == math.inf
    reach = after_reply(reach, LOST, 9.0, 0.5)
    assert next_start_at(reach) == math.inf
    assert next_start_at(probe_over(reach, 9.0, 0.5)) == 9.0 + 2.0


def test_a_probe_that_ends_the_pause_frees_the_starts() -> None:
    reach = after_reply(probe_begun(heard(*[LOST] * LOST_IN_A_ROW), 5.0), WELL, 6.0, 0.5)
    assert probe_over(reach, 6.0, 0.5) == KNOWN
    assert probe_begun(KNOWN, 5.0) == KNOWN


@pytest.mark.parametrize(("probes", "seconds"), list(enumerate([1, 2, 4, 8, 16, 32, 60, 60, 60])))
def test_probes_grow_apart_up_to_a_minute(probes: int, seconds: float) -> None:
    assert probe_delay(probes, 0.5) == seconds


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_probes_are_spread_by_a_fifth(probes: int, draw: float) -> None:
    middle = probe_delay(probes, 0.5)
    assert 0.79 * middle <= probe_delay(probes, draw) <= 1.21 * middle


def test_the_give_up_clock_runs_from_the_first_failure_across_both_kinds() -> None:
    reach = heard(*[LOST] * LOST_IN_A_ROW, *[SICK] * SICK_IN_A_ROW, every=2.0)
    assert reach.pause is not None
    assert gives_up_at(reach, 900) == 900.0


def test_a_good_answer_sets_the_give_up_clock_back() -> None:
    reach = heard(LOST, WELL, *[LOST] * LOST_IN_A_ROW)
    assert gives_up_at(reach, 900) == 2.0 + 900.0


def test_a_failure_long_ago_does_not_shorten_todays_patience() -> None:
    reach = after_reply(KNOWN, LOST, -5000.0, 0.5)
    assert gives_up_at(heard(*[LOST] * LOST_IN_A_ROW, reach=reach), 900) == 900.0


@pytest.mark.parametrize(
    ("patience", "idle", "began", "ends"),
    [
        (20.0, True, None, math.inf),  # the probe of second 5 comes first, whenever somebody is there
        (5.0, True, None, math.inf),
        (4.9, True, None, 4.9),  # it comes too late
        (20.0, False, None, 20.0),  # what is in flight will tell
        (20.0, False, 5.0, 20.0),
        (20.0, False, 30.0, math.inf),  # the late probe is waited for
    ],
)
def test_nobody_gives_up_before_a_probe_that_was_due(
    patience: float, idle: bool, began: float | None, ends: float
) -> None:
    reach = heard(*[LOST] * LOST_IN_A_ROW)
    if began is not None:
        reach = probe_begun(reach, began)
    assert gives_up_at(reach, patience, idle=idle) == ends
    assert gives_up_at(probe_over(reach, 40.0, 0.5), patience, idle=True) == patience, "one late probe, and no other"


@given(st.lists(st.sampled_from(Sign), max_size=80))
def test_a_good_answer_always_ends_a_pause_and_failures_alone_always_lead_to_one(signs: list[Sign]) -> None:
    reaches = [heard(*signs[:end]) for end in range(len(signs) + 1)]
    for sign, (before, after) in zip(signs, pairwise(reaches), strict=True):
        if sign is WELL:
            assert after == KNOWN
        if before.pause is not None and sign is LOST:
            assert after.pause == before.pause
    assert heard(*signs, *[LOST] * LOST_IN_A_ROW).pause is not None
