"""The limiters as tables of explicit times, and the two levels together."""

from __future__ import annotations

import pytest

from bulk_import.simulator import Account, Limits, Ticket
from bulk_import.simulator.limits import Bucket, Calendar, Limiter, Shape, Sliding, Turnstile
from bulk_import.simulator.options import limits_from
from tests.simulator_support import NOON, call


def _admitted(limiter: Limiter, times: list[float]) -> list[bool]:
    verdicts = []
    for now in times:
        room = limiter.room(now)
        if room:
            limiter.take(now)
        verdicts.append(room)
    return verdicts


@pytest.mark.parametrize(
    ("limiter", "times", "expected"),
    [
        (Sliding(2), [0.0, 0.1, 0.2, 0.99, 1.0, 1.05, 1.1], "1100101"),
        (Sliding(2), [0.5, 0.75, 1.0, 1.25, 1.5, 1.75], "110011"),
        (Sliding(0.5), [0.0, 0.5, 1.0], "101"),
        (Bucket(2), [0.0, 0.1, 0.2, 0.49, 0.5, 1.0, 1.01], "1100110"),
        (Bucket(2), [0.0, 0.0, 0.0, 5.0, 5.0, 5.0], "110110"),
        (Bucket(0.5), [0.0, 1.0, 2.0], "101"),
        (Calendar(2), [0.8, 0.9, 0.95, 1.0, 1.1, 1.2, 2.0], "1101101"),
        (Calendar(2), [0.98, 0.99, 1.0, 1.01, 1.02], "11110"),
    ],
)
def test_a_limiter_admits_by_its_shape(limiter: Limiter, times: list[float], expected: str) -> None:
    assert _admitted(limiter, times) == [verdict == "1" for verdict in expected]


@pytest.mark.parametrize(("shape", "worst"), [("sliding", 25), ("bucket", 50), ("calendar", 50)])
def test_the_worst_second_of_each_shape_is_known(shape: Shape, worst: int) -> None:
    gate = Turnstile(Limits(rate=25, endpoint_rate=None, endpoint_rates={}, shape=shape))
    offered = [0.5 + n / 1000 for n in range(3000)]
    starts = [now for now in offered if gate.enter("create", now) is None]
    windows = [sum(start <= other < start + 1 for other in starts) for start in starts]
    assert worst - 1 <= max(windows) <= worst


def test_a_request_counts_on_both_levels_or_on_neither() -> None:
    gate = Turnstile(Limits(rate=3, endpoint_rate=None, endpoint_rates={"create": 1}))
    reasons = [gate.enter(name, 0.0) for name in ("create", "create", "create", "list", "list", "list")]
    assert reasons == [None, "endpoint-rate", "endpoint-rate", None, None, "global-rate"]


def test_concurrency_is_limited_on_both_levels_and_given_back() -> None:
    gate = Turnstile(Limits(None, None, {}, concurrency=2, endpoint_concurrency=1))
    assert [gate.enter(name, 0.0) for name in ("create", "create", "list", "search")] == [
        None,
        "endpoint-concurrency",
        None,
        "global-concurrency",
    ]
    gate.leave("create")
    assert gate.enter("create", 0.0) is None


def test_an_account_gives_the_place_back_when_a_request_is_finished_refused_or_replayed() -> None:
    account = Account(now=NOON, limits=Limits(None, None, {}, concurrency=1))
    post = call("POST", "/v1/customers", idempotency_key="k1")
    ticket = account.begin(post, NOON)
    assert isinstance(ticket, Ticket)
    busy = account.handle(post, NOON)
    assert (busy.status, busy.headers["Stripe-Rate-Limited-Reason"]) == (429, "global-concurrency")
    statuses = [account.finish(ticket, NOON).status]
    statuses += [account.handle(post, NOON).status for _ in range(2)]
    refused = call("POST", "/v1/customers", {"name": "other"}, idempotency_key="k1")
    statuses += [account.handle(refused, NOON).status for _ in range(2)]
    assert statuses == [200, 200, 200, 400, 400]


def test_each_mode_has_limits_of_its_own() -> None:
    account = Account(now=NOON, limits=Limits(1, None, {}))
    keys = ("sk_test_a", "sk_live_a", "sk_test_a")
    assert [account.handle(call("GET", "/v1/balance", key=key), NOON).status for key in keys] == [200, 200, 429]


@pytest.mark.parametrize(
    ("overall", "endpoints", "endpoint", "expected"),
    [
        ("100", [], "create", 25.0),
        ("100", [], "search", 20.0),
        ("100", ["create=100"], "create", 100.0),
        ("100", ["create=100"], "search", 20.0),
        ("100", ["50"], "search", 50.0),
        ("100", ["none"], "search", None),
        ("100", ["none", "create=3"], "create", 3.0),
        ("100", ["list=none"], "list", None),
    ],
)
def test_endpoint_limits_are_read_from_options(
    overall: str, endpoints: list[str], endpoint: str, expected: float | None
) -> None:
    assert limits_from(overall, endpoints, "sliding").of(endpoint) == expected


@pytest.mark.parametrize(
    ("overall", "endpoints"), [("0", []), ("fast", []), ("10", ["nowhere=5"]), ("10", ["create=-1"])]
)
def test_a_limit_that_is_none_is_refused(overall: str, endpoints: list[str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs for each, the exit code does not
        limits_from(overall, endpoints, "sliding")
