"""The sweep's rules: what proves a row's customer, what proves that there is none, and what proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bulk_import.customer.emails import email_key
from bulk_import.model import MARKER, Claim, Created, Customer, Doubt, Existing, marker_of, row_of
from bulk_import.reconcile import (
    MOST_GENERATIONS,
    OVERLAP,
    Absent,
    Evidence,
    Found,
    Generations,
    Judge,
    Open,
    Remainder,
    Verdict,
    needs_sweep,
    next_generation,
    still_in_doubt,
)
from tests.ledger_samples import NOW, TOKEN, claim, email_of

DEADLINE = 30.0
HOUR = 3600.0
LATER = NOW + 600
"""When the sweep is: the claim's last attempt is long over, and this process runs for a while."""

REPLAYED = claim(7, doubt=Doubt.REPLAYED, attempted_at=NOW + 60)
REPEATED = replace(REPLAYED, doubt=Doubt.REPEATED_5XX)
UNCLEAR = replace(REPLAYED, doubt=Doubt.OPEN)
SILENT = replace(REPLAYED, doubt=None, attempted_at=None)
UNMARKED = replace(REPLAYED, params={"email": email_of(7)})


def customer(name: str, created: float = NOW, marker: str | None = None, email: str | None = email_of(7)) -> Customer:
    return Customer(name, email, int(created), livemode=False, marker=marker)


def ours(name: str, generation: int = 0, created: float = NOW, row: int = 7) -> Customer:
    return customer(name, created, marker_of(TOKEN, row, generation))


def judge(one: Claim, customers: Sequence[Customer] = (), *, generations: int = 0, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "customers": customers,
        "list_began": LATER,
        "process_started": NOW + 100,
        "deadline": DEADLINE,
        "owned": {},
    }
    evidence = Evidence(**{**values, **changes})
    return Judge(TOKEN, evidence, email_key).verdict(one, evidence.list_began + 1, generations)


# Found.


@pytest.mark.parametrize("one", [REPLAYED, REPEATED, UNCLEAR, SILENT, UNMARKED])
def test_our_marker_in_any_generation_proves_the_customer(one: Claim) -> None:
    for generation in (0, 1, 12):
        assert judge(one, [ours("cus_a", generation)]) == Found(one, Created("cus_a"), ("cus_a",))


def test_our_marker_counts_whoever_changed_the_email() -> None:
    there = replace(ours("cus_a"), email="new@example.com")
    assert judge(REPLAYED, [there]) == Found(REPLAYED, Created("cus_a"), ("cus_a",))


def test_of_twins_the_oldest_wins_and_both_are_told() -> None:
    twins = [ours("cus_c", 1, NOW + 9), ours("cus_a", 0, NOW + 1), ours("cus_b", 0, NOW + 1)]
    assert judge(REPLAYED, twins) == Found(REPLAYED, Created("cus_a"), ("cus_a", "cus_b", "cus_c"))


def test_our_marker_wins_over_a_stranger_with_the_same_email() -> None:
    verdict = judge(REPLAYED, [customer("cus_s", NOW - 5), ours("cus_a")])
    assert verdict == Found(REPLAYED, Created("cus_a"), ("cus_a",))


@pytest.mark.parametrize("email", [email_of(7), email_of(7).upper(), f" {email_of(7)} "])
def test_a_row_without_a_marker_is_found_by_email_and_time_and_never_as_created(email: str) -> None:
    verdict = judge(UNMARKED, [customer("cus_b", NOW + 2, email=email), customer("cus_a", NOW + 1, email=email)])
    assert isinstance(verdict, Found)
    assert isinstance(verdict.outcome, Existing)
    assert verdict.outcome.customer_id == "cus_a"
    assert "undo" in (verdict.outcome.note or "")


# A stranger with its e-mail proves nothing.


@pytest.mark.parametrize("one", [REPLAYED, REPEATED, UNCLEAR, SILENT, replace(REPLAYED, claimed_at=NOW - 24 * HOUR)])
def test_an_unowned_customer_with_its_email_in_its_time_keeps_it_open(one: Claim) -> None:
    verdict = judge(one, [customer("cus_s")])
    assert isinstance(verdict, Open)
    assert "cus_s" in verdict.why
    assert verdict.wait is None


@pytest.mark.parametrize("marker", [None, "fedcba9876543210:7:0", "rewritten", f"{TOKEN}:seven:0"])
def test_whatever_marker_the_stranger_carries(marker: str | None) -> None:
    assert isinstance(judge(REPLAYED, [customer("cus_s", marker=marker)]), Open)


def test_another_ledgers_customer_is_not_taken_for_a_row_without_a_marker() -> None:
    assert isinstance(judge(UNMARKED, [customer("cus_s", marker="fedcba9876543210:7:0")]), Open)


@pytest.mark.parametrize(
    "there",
    [
        customer("cus_s", email="other@example.com"),
        customer("cus_s", email=None),
        customer("cus_s", created=NOW - 1 - OVERLAP - 1),
        ours("cus_s", row=70),
    ],
)
def test_someone_with_another_email_or_from_another_time_or_row_does_not_stand_in_the_way(there: Customer) -> None:
    assert isinstance(judge(REPLAYED, [there]), Absent)
    assert isinstance(judge(UNMARKED, [there]), Absent)


def test_a_customer_that_belongs_to_another_row_does_not_stand_in_the_way() -> None:
    assert isinstance(judge(REPLAYED, [customer("cus_s")], owned={"cus_s": 3}), Absent)


def test_the_window_reaches_back_ten_minutes_and_to_the_beginning_where_its_time_is_unknown() -> None:
    edge = int(NOW - 1) - OVERLAP
    assert isinstance(judge(REPLAYED, [customer("cus_s", edge)]), Open)
    assert isinstance(judge(REPLAYED, [customer("cus_s", edge - 1)]), Absent)
    assert isinstance(judge(replace(REPLAYED, stripe_time=None), [customer("cus_s", 1)]), Open)


# Absence: (a) what the last attempt said, or the key's age.


@pytest.mark.parametrize(
    ("one", "absent"),
    [
        (REPLAYED, True),
        (REPEATED, True),
        (UNCLEAR, False),
        (SILENT, False),
        (replace(UNCLEAR, claimed_at=LATER - 22.9 * HOUR), False),
        (replace(UNCLEAR, claimed_at=LATER - 23 * HOUR), True),
        (replace(SILENT, claimed_at=LATER - 23 * HOUR), True),
    ],
)
def test_absence_needs_a_replay_a_repeated_5xx_or_a_key_older_than_23_hours(one: Claim, absent: bool) -> None:
    verdict = judge(one)
    assert isinstance(verdict, Absent if absent else Open)
    assert absent or (isinstance(verdict, Open) and verdict.wait is None)


# (b) the list began a deadline after the last attempt, and after this process started.


@pytest.mark.parametrize(
    ("attempted", "started", "began", "wait"),
    [
        (NOW + 60, NOW, NOW + 90, None),
        (NOW + 60, NOW, NOW + 89, 0.0),
        (NOW - 500, NOW, NOW, None),
        (None, NOW, NOW + 30, None),
        (None, NOW, NOW + 29, 0.0),
        (None, NOW, NOW, 29.0),
    ],
)
def test_absence_needs_a_list_that_began_a_deadline_after_the_last_attempt(
    attempted: float | None, started: float, began: float, wait: float | None
) -> None:
    verdict = judge(replace(REPLAYED, attempted_at=attempted), list_began=began, process_started=started)
    if wait is None:
        assert isinstance(verdict, Absent)
    else:
        assert isinstance(verdict, Open)
        assert verdict.wait == wait


def test_an_attempt_of_an_unknown_time_is_taken_for_the_last_thing_the_dead_process_did() -> None:
    one = replace(REPLAYED, attempted_at=None)
    assert isinstance(judge(one, process_started=LATER), Open)
    assert isinstance(judge(one, process_started=LATER - DEADLINE), Absent)


# At most so many new keys a run.


@pytest.mark.parametrize("given", range(6))
def test_a_row_gets_at_most_three_new_generations_in_a_run(given: int) -> None:
    assert isinstance(judge(REPLAYED, generations=given), Absent if given < MOST_GENERATIONS else Open)
    assert MOST_GENERATIONS == 3


def test_the_next_generation_has_a_new_key_a_new_marker_and_the_same_person() -> None:
    anew = next_generation(REPLAYED, TOKEN, LATER)
    assert (anew.generation, anew.marker, anew.claimed_at) == (1, marker_of(TOKEN, 7, 1), LATER)
    assert (anew.doubt, anew.attempted_at) == (None, None)
    assert {**anew.params, "metadata": None} == {**REPLAYED.params, "metadata": None}
    assert REPLAYED.marker == marker_of(TOKEN, 7, 0)


def test_the_next_generation_keeps_stripes_time_of_the_first_so_that_its_window_stays_bounded() -> None:
    assert next_generation(REPLAYED, TOKEN, LATER).stripe_time == REPLAYED.stripe_time


def test_the_next_generation_keeps_other_metadata_and_adds_no_marker_where_there_was_none() -> None:
    both = replace(REPLAYED, params={"metadata": {"plan": "gold", MARKER: "x"}})
    assert next_generation(both, TOKEN, LATER).params == {"metadata": {"plan": "gold", MARKER: marker_of(TOKEN, 7, 1)}}
    assert next_generation(UNMARKED, TOKEN, LATER).params == UNMARKED.params


@pytest.mark.parametrize(
    ("marker", "row"),
    [
        (f"{TOKEN}:7:0", 7),
        (f"{TOKEN}:123456:99", 123456),
        ("fedcba9876543210:7:0", None),
        (f"{TOKEN}:7", None),
        (f"{TOKEN}:7:0:1", None),
        (f"{TOKEN}:-7:0", None),
        (f"{TOKEN}:{10**18 - 1}:0", 10**18 - 1),
        (f"{TOKEN}:{10**19}:0", None),
        (f"{TOKEN}::0", None),
        (f"{TOKEN}:x:0", None),
        ("", None),
        (None, None),
    ],
)
def test_a_marker_names_a_row_of_its_own_ledger_alone(marker: str | None, row: int | None) -> None:
    assert row_of(marker, TOKEN) == row


@pytest.mark.parametrize(
    ("age", "fingerprint", "jumped", "needed"),
    [
        (60.0, "fp", False, False),
        (22.9 * HOUR, "fp", False, False),
        (23 * HOUR, "fp", False, True),
        (-301.0, "fp", False, True),
        (60.0, "other", False, True),
        (60.0, None, False, True),
        (60.0, "fp", True, True),
    ],
)
def test_a_claim_is_looked_for_first_when_its_key_or_our_clock_cannot_be_trusted(
    age: float, fingerprint: str | None, jumped: bool, needed: bool
) -> None:
    assert needs_sweep(claim(7, claimed_at=NOW - age), NOW, fingerprint, clock_jumped=jumped) is needed


def test_a_row_that_stays_in_doubt_keeps_what_its_last_attempt_said_and_says_what_to_do() -> None:
    for one in (REPLAYED, UNCLEAR):
        outcome = still_in_doubt(Open(one, "nobody knows"))
        assert outcome.doubt is one.doubt
        assert outcome.refusal.message == "nobody knows; run the same command again later to settle it"
    assert still_in_doubt(Open(SILENT, "x")).doubt is Doubt.OPEN


def test_new_generations_are_counted_for_each_row() -> None:
    given = Generations()
    for row in (7, 3, 7, 900):
        given.give(row)
    assert [given.of(row) for row in (0, 3, 7, 8, 900, 901)] == [0, 1, 2, 0, 1, 0]


def test_a_claim_under_a_new_key_is_as_old_as_the_list_that_proved_absence() -> None:
    verdict = judge(REPLAYED)
    assert isinstance(verdict, Absent)
    assert verdict.claim.claimed_at == LATER + 1
    assert verdict.claim.seen_at == LATER


def advice_on(left: Sequence[Open]) -> str | None:
    remainder = Remainder()
    remainder.add(left)
    return remainder.advice()


def test_the_last_word_on_doubts_is_what_settles_them() -> None:
    later = Open(UNCLEAR, "nothing is known")
    stranger = judge(REPLAYED, [customer("cus_s")])
    assert isinstance(stranger, Open)
    assert advice_on([]) is None
    assert advice_on([later, later]) == "2 rows stay in doubt; run the same command again later"
    said = advice_on([later, stranger]) or ""
    assert "row 7" in said
    assert "cus_s" in said
    assert f"put {MARKER} = {REPLAYED.marker} into the metadata" in said
    assert "1 more" not in said
    assert "1 more rows" in (advice_on([stranger, stranger]) or "")
