"""What each reply means for a row: the paragraph "What came back" and Stripe's error table, line by line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.model import MARKER, Created, Doubt, Endpoint, Failed, InDoubt, Reply, Request
from bulk_import.replies import Halt, answers, never_began, object_in, refusal_of
from bulk_import.settle import (
    FIRST_DELAY,
    LONGEST_DELAY,
    PATIENCE_WITH_409,
    Again,
    Done,
    Expected,
    Limits,
    Taken,
    Tries,
    Verdict,
    backoff,
    settle,
)
from bulk_import.steps import Makes

MARK = "0123456789abcdef:7:0"
EMAIL = "ada@example.com"
EXPECTED = Expected(livemode=False, marker=MARK, email=EMAIL)
LIMITS = Limits(attempts=8, deadline=30.0)
FIRST = Tries()


def customer(**changes: Any) -> dict[str, Any]:
    body = {"id": "cus_1", "object": "customer", "livemode": False, "email": EMAIL, "metadata": {MARKER: MARK}}
    return {**body, **changes}


def said(status: int, type_: str | None = "invalid_request_error", code: str | None = None, **more: Any) -> Reply:
    error = {"type": type_, "code": code, "message": "no", "param": "email"}
    return Reply(status, {"error": {k: v for k, v in error.items() if v}}, request_id="req_1", **more)


def judge(
    reply: Reply,
    tries: Tries = FIRST,
    expected: Expected = EXPECTED,
    *,
    started: float = 0.0,
    limits: Limits = LIMITS,
) -> Verdict:
    return settle(reply, expected, tries, limits, started=started, ended=started + 1.0, chance=0.0)


def kind(verdict: Verdict) -> str:
    match verdict:
        case Done(outcome):
            return type(outcome).__name__
        case Taken(made):
            return f"taken {made}"
        case Again(_, tries):
            return f"again, used {tries.used}"
        case Halt():
            return "halt"


HTML = Reply(200, None, fault="not-json", detail="HTML")
NO_ANSWERS = ["timeout", "connect", "reset", "truncated", "oversized", "tls", "certificate", "protocol"]

# (what came, verdict on the first try, verdict when it is the last one)
TABLE: list[tuple[str, Reply, str, str]] = [
    ("success", Reply(200, customer(), request_id="req_9"), "Created", "Created"),
    ("success, replayed", Reply(200, customer(), replayed=True), "Created", "Created"),
    ("success without e-mail in the answer", Reply(200, customer(email=None)), "Created", "Created"),
    # Definitive refusals, each with Stripe's error object.
    ("400", said(400), "Failed", "Failed"),
    ("400 parameter_unknown", said(400, code="parameter_unknown"), "Failed", "Failed"),
    ("402 declined", said(402, "card_error", "card_declined"), "Failed", "Failed"),
    ("402 replayed", said(402, "card_error", "card_declined", replayed=True), "Failed", "Failed"),
    ("404", said(404, code="resource_missing"), "Failed", "Failed"),
    ("424", said(424, "api_error"), "Failed", "Failed"),
    ("422", said(422), "Failed", "Failed"),
    ("410", said(410), "Failed", "Failed"),
    ("405", said(405), "Failed", "Failed"),
    ("400 that may be tried again", said(400, should_retry=True), "again, used 1", "Failed"),
    ("400 that must not be tried again", said(400, should_retry=False), "Failed", "Failed"),
    # Not executed: again under the same key, no attempt used up, however often.
    (
        "429 with a reason",
        said(429, None, "rate_limit", limited_reason="endpoint-rate"),
        "again, used 0",
        "again, used 7",
    ),
    ("429 concurrency", said(429, limited_reason="global-concurrency"), "again, used 0", "again, used 7"),
    ("429 lock_timeout", said(429, code="lock_timeout"), "again, used 0", "again, used 7"),
    ("429 not to be tried again", said(429, should_retry=False), "again, used 0", "again, used 7"),
    ("429 without any body", Reply(429), "again, used 0", "again, used 7"),
    ("400 rate_limit, the old form", said(400, code="rate_limit"), "again, used 0", "again, used 7"),
    ("409 in use", said(409, "idempotency_error", "idempotency_key_in_use"), "again, used 0", "again, used 7"),
    ("409 in use, the other type", said(409, code="idempotency_key_in_use"), "again, used 0", "again, used 7"),
    # Indeterminate: again a few times, then in doubt.
    ("500", said(500, "api_error"), "again, used 1", "InDoubt"),
    ("502 of a proxy", Reply(502, None, fault="not-json"), "again, used 1", "InDoubt"),
    ("503", said(503, "api_error"), "again, used 1", "InDoubt"),
    ("504", Reply(504), "again, used 1", "InDoubt"),
    ("500 replayed", said(500, "api_error", replayed=True), "InDoubt", "InDoubt"),
    ("500 not to be tried again", said(500, "api_error", should_retry=False), "again, used 1", "InDoubt"),
    *((fault, Reply(None, fault=fault), "again, used 1", "InDoubt") for fault in NO_ANSWERS),
    ("400 idempotency_error", said(400, "idempotency_error"), "InDoubt", "InDoubt"),
    ("422 idempotency_error", said(422, "idempotency_error"), "InDoubt", "InDoubt"),
    ("400 of a proxy", Reply(400, None, fault="not-json"), "again, used 1", "InDoubt"),
    ("400 with JSON that is not Stripe's", Reply(400, {"error": "nope"}), "again, used 1", "InDoubt"),
    ("400 with an empty error object", Reply(400, {"error": {}}), "again, used 1", "InDoubt"),
    ("404 of a proxy", Reply(404, [1]), "again, used 1", "InDoubt"),
    ("407 of a proxy", Reply(407, None, fault="not-json"), "again, used 1", "InDoubt"),
    ("408 of a proxy", Reply(408), "again, used 1", "InDoubt"),
    ("409 of a proxy", Reply(409), "again, used 1", "InDoubt"),
    ("413 of a proxy", Reply(413), "again, used 1", "InDoubt"),
    ("201 with a customer", Reply(201, customer()), "again, used 1", "InDoubt"),
    ("204", Reply(204), "again, used 1", "InDoubt"),
    ("200 HTML", HTML, "again, used 1", "InDoubt"),
    ("200 null", Reply(200), "again, used 1", "InDoubt"),
    ("200 list", Reply(200, [customer()]), "again, used 1", "InDoubt"),
    ("200 error object", Reply(200, {"error": {"type": "api_error"}}), "again, used 1", "InDoubt"),
    ("200 customer and error", Reply(200, customer(error={"type": "api_error"})), "again, used 1", "InDoubt"),
    ("200 without an id", Reply(200, customer(id=None)), "again, used 1", "InDoubt"),
    ("200 with an empty id", Reply(200, customer(id="cus_")), "again, used 1", "InDoubt"),
    ("200 with an endless id", Reply(200, customer(id="cus_" + "9" * 252)), "again, used 1", "InDoubt"),
    ("200 with another kind of id", Reply(200, customer(id="sub_1")), "again, used 1", "InDoubt"),
    ("200 with a path in the id", Reply(200, customer(id="cus_1/sources")), "again, used 1", "InDoubt"),
    ("200 with a line behind the id", Reply(200, customer(id="cus_1\n")), "again, used 1", "InDoubt"),
    ("200 without livemode", Reply(200, customer(livemode=None)), "again, used 1", "InDoubt"),
    ("200 with a livemode in words", Reply(200, customer(livemode="false")), "again, used 1", "InDoubt"),
    ("200 without our marker", Reply(200, customer(metadata={})), "again, used 1", "InDoubt"),
    ("200 with metadata null", Reply(200, customer(metadata=None)), "again, used 1", "InDoubt"),
    ("200 of another row", Reply(200, customer(metadata={MARKER: MARK[:-1] + "1"})), "again, used 1", "InDoubt"),
    ("200 not ours, replayed", Reply(200, customer(metadata={}), replayed=True), "InDoubt", "InDoubt"),
    # About us, not about the row.
    ("401", said(401), "halt", "halt"),
    ("401 without a body", Reply(401), "halt", "halt"),
    ("403", said(403), "halt", "halt"),
    ("403 replayed", said(403, replayed=True), "halt", "halt"),
    ("403 of a proxy", Reply(403, None, fault="not-json"), "halt", "halt"),
    *((f"{n}", Reply(n, location="https://example.com/"), "halt", "halt") for n in (301, 302, 303, 304, 307, 308)),
    ("400 account_invalid", said(400, code="account_invalid"), "halt", "halt"),
    ("400 api_key_expired", said(400, code="api_key_expired"), "halt", "halt"),
    ("400 platform_api_key_expired", said(400, code="platform_api_key_expired"), "halt", "halt"),
    ("400 secret_key_required", said(400, code="secret_key_required"), "halt", "halt"),
    ("200 of the other mode", Reply(200, customer(livemode=True)), "halt", "halt"),
]


@pytest.mark.parametrize(("reply", "first", "last"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE])
def test_every_reply_has_its_verdict(reply: Reply, first: str, last: str) -> None:
    assert kind(judge(reply)) == first
    assert kind(judge(reply, Tries(used=7))) == last


def test_a_success_carries_the_customer_and_the_request() -> None:
    assert judge(Reply(200, customer(), request_id="req_9")) == Done(Created("cus_1", "req_9"))


UNMARKED = Expected(livemode=False, marker=None, email=EMAIL)
NAMELESS = Expected(livemode=False, marker=None, email=None)


@pytest.mark.parametrize("made", ["cus_1", "cus_test_000001", "cus_0190b7f2-aaaa-4bbb", "cus_" + "9" * 251])
def test_an_id_may_have_any_shape_behind_its_prefix_that_needs_no_quoting(made: str) -> None:
    assert judge(Reply(200, customer(id=made))) == Done(Created(made))


UPDATE = Expected(livemode=False, marker=None, email=EMAIL, target="cus_1")
ATTACH = Expected(livemode=False, marker=None, email=EMAIL, target="cus_1", makes=Makes.PAYMENT_METHOD)
TAX_ID = Expected(livemode=False, marker=None, email=EMAIL, target="cus_1", makes=Makes.TAX_ID)


def method(**changes: Any) -> dict[str, Any]:
    return {"id": "pm_9", "customer": "cus_1", "livemode": False, **changes}


@pytest.mark.parametrize(
    ("expected", "body", "outcome"),
    [
        (UNMARKED, customer(metadata={}), "Created"),
        (UNMARKED, customer(email="bob@example.com"), "again, used 1"),
        (UNMARKED, customer(email=EMAIL.upper()), "again, used 1"),
        (NAMELESS, customer(email=None, metadata={}), "Created"),
        (EXPECTED, customer(email="bob@example.com"), "Created"),
        (UPDATE, customer(), "taken cus_1"),
        (UPDATE, customer(email="Bob@example.com", metadata={}), "taken cus_1"),
        (UPDATE, customer(id="cus_2"), "again, used 1"),
        (ATTACH, method(), "taken pm_9"),
        (ATTACH, method(customer="cus_2"), "again, used 1"),
        (ATTACH, customer(), "again, used 1"),
        (TAX_ID, method(id="txi_1"), "taken txi_1"),
        (TAX_ID, method(), "again, used 1"),
    ],
)
def test_a_success_shows_the_marker_else_the_email_and_an_update_its_target(
    expected: Expected, body: dict[str, Any], outcome: str
) -> None:
    assert kind(judge(Reply(200, body), expected=expected)) == outcome


def test_a_step_of_an_update_is_taken_under_the_id_that_came_back() -> None:
    assert judge(Reply(200, customer(), request_id="r"), expected=UPDATE) == Taken("cus_1", "r")


def test_only_a_200_that_is_no_success_counts_as_impossible() -> None:
    for _, reply, first, _last in TABLE:
        verdict = judge(reply)
        if isinstance(verdict, Again):
            assert verdict.impossible is (reply.status == 200), first


def test_a_refusal_is_kept_in_stripes_own_words() -> None:
    verdict = judge(said(402, "card_error", "card_declined"))
    assert isinstance(verdict, Done)
    assert isinstance(verdict.outcome, Failed)
    why = verdict.outcome.refusal
    assert (why.type, why.code, why.param, why.message, why.http_status, why.request_id) == (
        "card_error", "card_declined", "email", "no", 402, "req_1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "type_"),
    [(Reply(None, fault="reset"), "no_answer"), (HTML, "impossible_answer"), (Reply(502), "unclear_answer")],
)
def test_an_answer_that_says_nothing_is_described(reply: Reply, type_: str) -> None:
    why = refusal_of(reply)
    assert why.type == type_
    assert why.message


def test_halting_says_what_to_do_and_where_it_happened() -> None:
    for reply in (said(401), said(403), Reply(302), said(400, code="account_invalid")):
        verdict = judge(reply)
        assert isinstance(verdict, Halt)
        assert "again" in verdict.message
        assert "the request" in verdict.message or "req_1" in verdict.message


# What a row in doubt is known for: it helps to prove absence later, so it must never be said too easily.


def doubt(verdict: Verdict) -> Doubt:
    assert isinstance(verdict, Done)
    assert isinstance(verdict.outcome, InDoubt)
    return verdict.outcome.doubt


@pytest.mark.parametrize("used", [0, 3, 7])
def test_a_replayed_5xx_ends_it_at_once_as_replayed(used: int) -> None:
    assert doubt(judge(said(500, "api_error", replayed=True), Tries(used=used))) is Doubt.REPLAYED


@pytest.mark.parametrize("reply", [Reply(200, customer(metadata={}), replayed=True), said(400, "idempotency_error")])
def test_a_stored_answer_that_is_no_failure_of_stripes_proves_nothing(reply: Reply) -> None:
    assert doubt(judge(reply, Tries(used=7))) is Doubt.OPEN


@pytest.mark.parametrize(
    ("status", "tries", "started", "expected"),
    [
        (500, Tries(2, 0, 0, 500, 100.0), 130.0, Doubt.REPEATED_5XX),
        (500, Tries(2, 0, 0, 500, 100.0), 129.9, None),
        (500, Tries(2, 0, 0, 503, 100.0), 130.0, None),
        (500, Tries(7, 0, 0, 500, 100.0), 129.9, Doubt.OPEN),
        (500, Tries(7, 0, 0, None), 500.0, Doubt.OPEN),
        (None, Tries(7, 0, 0, 500, 100.0), 500.0, Doubt.OPEN),
        (200, Tries(7, 0, 0, 500, 100.0), 500.0, Doubt.OPEN),
    ],
)
def test_the_same_5xx_counts_as_repeated_only_a_deadline_after_the_first_had_ended(
    status: int | None, tries: Tries, started: float, expected: Doubt | None
) -> None:
    verdict = judge(Reply(status, fault="timeout" if status is None else None), tries, started=started)
    if expected is None:
        assert isinstance(verdict, Again)
    else:
        assert doubt(verdict) is expected


def test_the_first_5xx_is_remembered_through_other_trouble_and_replaced_by_another_5xx() -> None:
    verdict = judge(Reply(503), started=10.0)
    seen = []
    for reply in (Reply(None, fault="reset"), said(429), Reply(200), Reply(503), Reply(500)):
        assert isinstance(verdict, Again)
        seen.append((verdict.tries.first_5xx, verdict.tries.first_5xx_ended))
        verdict = judge(reply, verdict.tries, started=20.0)
    assert isinstance(verdict, Again)
    assert seen == [(503, 11.0)] * 5
    assert (verdict.tries.first_5xx, verdict.tries.first_5xx_ended) == (500, 21.0)


def test_the_last_attempt_after_a_5xx_comes_late_enough_to_prove_something() -> None:
    verdict = judge(Reply(500), Tries(6, 0, 0, 500, 100.0), started=105.0)
    assert isinstance(verdict, Again)
    assert 106.0 + verdict.delay >= 130.0
    late = judge(Reply(500), verdict.tries, started=106.0 + verdict.delay)
    assert doubt(late) is Doubt.REPEATED_5XX


# Waiting.


def test_conflicts_end_in_doubt_when_another_process_must_hold_the_key() -> None:
    busy = said(409, code="idempotency_key_in_use")
    tries, rounds = Tries(), 0
    while isinstance(verdict := judge(busy, tries), Again):
        tries, rounds = verdict.tries, rounds + 1
    assert rounds == PATIENCE_WITH_409 - 1
    assert doubt(verdict) is Doubt.OPEN


@pytest.mark.parametrize("between", [said(429), Reply(500), Reply(None, fault="reset")])
def test_anything_else_in_between_begins_the_count_of_conflicts_anew(between: Reply) -> None:
    verdict = judge(between, Tries(conflicts=PATIENCE_WITH_409 - 1))
    assert isinstance(verdict, Again)
    assert verdict.tries.conflicts == 0


@pytest.mark.parametrize("reply", [said(429, retry_after=77.0), Reply(503, retry_after=77.0)])
def test_retry_after_is_honoured(reply: Reply) -> None:
    verdict = judge(reply)
    assert isinstance(verdict, Again)
    assert verdict.delay >= 77.0


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_backoff_doubles_within_its_bounds_and_spreads_over_the_upper_half(count: int, chance: float) -> None:
    whole = min(FIRST_DELAY * 2.0 ** (count - 1), LONGEST_DELAY)
    assert whole / 2 <= backoff(count, chance) <= whole
    assert backoff(count + 1, chance) >= backoff(count, chance)


def test_a_row_may_be_tried_only_once() -> None:
    assert kind(judge(Reply(None, fault="timeout"), limits=Limits(attempts=1))) == "InDoubt"


@given(
    st.one_of(st.none(), st.integers(100, 599)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "error", "livemode", "metadata", "type", "email"]), inner, max_size=4
            )
        ),
        max_leaves=8,
    ),
    st.booleans(),
)
def test_no_body_however_strange_makes_a_customer_of_ours_or_an_exception(
    status: int | None, body: object, replayed: bool
) -> None:
    verdict = judge(Reply(status, body, replayed=replayed, fault=None if status else "reset"))
    assert not (isinstance(verdict, Done) and isinstance(verdict.outcome, Created))
    assert object_in(Reply(500, customer()), Makes.CUSTOMER) is None


def test_what_a_server_says_is_kept_short_in_one_line_and_without_keys() -> None:
    loud = "\x1b[31mno\r\n " + "key sk_live_51Abc and rk_test_9 " + "x" * 300_000
    reply = Reply(400, {"error": {"type": "a" * 900, "code": "sk_test_1234", "param": "p\x00", "message": loud}})
    refusal = refusal_of(reply)
    said = (refusal.type, refusal.code, refusal.param, refusal.message)
    assert all(text and text.isprintable() and len(text) <= 1000 for text in said)
    assert not [text for text in said if text and ("51Abc" in text or "test_9" in text or "1234" in text)]


@pytest.mark.parametrize(
    ("reply", "surely"),
    [
        (Reply(None, fault="connect"), True),
        (Reply(None, fault="reset"), False),
        (Reply(None, fault="timeout"), False),
        (Reply(None, fault="tls"), False),
        (Reply(None, fault="certificate"), True),
        (Reply(200, customer()), False),
        (Reply(429, {"error": {"type": "invalid_request_error", "code": "rate_limit"}}), True),
        (Reply(403, {"error": {"type": "invalid_request_error", "message": "no"}}), True),
        (Reply(403, None, fault="not-json"), False),
        (Reply(500, {"error": {"type": "api_error", "message": "no"}}), False),
    ],
)
def test_a_request_surely_changed_nothing_only_where_it_was_turned_away_or_nobody_could_be_reached(
    reply: Reply, surely: bool
) -> None:
    assert never_began(reply) is surely


LISTED = Request(Endpoint.LIST, "GET", "/v1/customers")
SEARCHED = Request(Endpoint.SEARCH, "GET", "/v1/customers/search")
SHOWN = Request(Endpoint.RETRIEVE, "GET", "/v1/customers/cus_1")


@pytest.mark.parametrize(
    ("request_", "body", "answered"),
    [
        (LISTED, {"data": [], "has_more": False}, True),
        (SEARCHED, {"data": [], "has_more": False}, True),
        (LISTED, {"id": "cus_1", "object": "customer"}, False),
        (SEARCHED, {"id": "acct_1", "object": "account"}, False),
        (LISTED, {"data": None, "has_more": False}, False),
        (LISTED, {"data": [], "error": {}}, False),
        (SHOWN, {"id": "cus_1"}, True),
        (SHOWN, {"id": "cus_2"}, False),
        (Request(Endpoint.RETRIEVE, "GET", "/v1/customers/cus_a-b_1"), {"id": "cus_a-b_2"}, False),
        (SHOWN, {"data": [], "has_more": False}, False),
        (Request(Endpoint.ACCOUNT, "GET", "/v1/account"), {"id": "acct_1"}, True),
    ],
)
def test_a_200_answers_a_request_only_where_it_holds_what_was_asked_for(
    request_: Request, body: dict[str, Any], answered: bool
) -> None:
    assert answers(request_, body) is answered
