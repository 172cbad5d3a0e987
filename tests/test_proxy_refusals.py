"""A refusal without Stripe's error object is a proxy's, and nobody is deleted, detached or elsewhere because of it.

Everything that concludes something from a refusal is asked here, the real engine on virtual time; the oracle is the account.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bulk_import.budget import Budget
from bulk_import.customer_parts import METHOD
from bulk_import.digest import digest_of
from bulk_import.engine import Ended, Engine, Parts, inline
from bulk_import.errors import OutOfReach, StripeRefuses
from bulk_import.existing import is_attached, reread, retrieved
from bulk_import.image import Image
from bulk_import.job.caps import endpoint_caps
from bulk_import.job.identity import Account, identify
from bulk_import.keys import parse_key
from bulk_import.ledger import Pairing
from bulk_import.model import MARKER, Reply, Request, Status
from bulk_import.options import Pacing
from bulk_import.pace.gate import Gate
from bulk_import.replies import is_missing
from bulk_import.restore import Restored, Restorer
from bulk_import.settle import Limits
from bulk_import.simulator import Call
from bulk_import.simulator.faults import Canned
from bulk_import.undo import Gone, Known, Left, Undoer
from tests.virtual_run import World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, Trouble, VirtualStripe, refused
from tests.virtual_time import run_virtual

KEY = "sk_test_first"
TOKEN = "0123456789abcdef"
KNOWN = Known(TOKEN, bytes(16), livemode=False)
PAGE = "<html><body>404 page not found</body></html>"


def bare(status: int = 404, body: str | dict[str, Any] = PAGE) -> Canned:
    """What a proxy says: no word of Stripe's in it."""
    return Canned(status, body, {}, "text/html" if isinstance(body, str) else "application/json")


BARE = {
    "page": bare(),
    "json": bare(body={"detail": "Not Found"}),
    "other": refused(404, None),  # an error object, of an address that does not exist
}


def meeting(trouble: Trouble, endpoint: str, *times: int) -> Callable[[Arrival], Trouble | None]:
    """That trouble for each of these requests of one endpoint, or for all of them."""
    return lambda a: trouble if a.endpoint == endpoint and (not times or a.nth in times) else None


def hiding_a_method(trouble: Trouble, times: int) -> Callable[[Arrival], Trouble | None]:
    """That trouble for the first questions about a payment method."""
    left = iter(range(times))
    return lambda a: (
        trouble if a.method == "GET" and "/payment_methods/" in a.path and next(left, None) is not None else None
    )


def asked(stripe: VirtualStripe, course: Callable[[Engine], Coroutine[Any, Any, None]]) -> Ended:
    """Ask as a command does: through the engine and its gate."""

    async def main() -> Ended:
        pacing = Pacing(give_up_after=120.0)
        gate = Gate(pacing.rate, endpoint_caps(pacing), give_up_after=pacing.give_up_after)

        async def send(request: Request) -> Reply:
            return await stripe.send(request, KEY, 30.0)

        parts = Parts(
            write=lambda claims, settled: settled, send=send, gate=gate, offload=inline, offload_reading=inline,
            now=stripe.now, tick=stripe.now, chance=lambda: 0.5, written=lambda settled: None, progress=None,
            limits=Limits(4, 30.0), livemode=False, budget=Budget(None, None),
        )  # fmt: skip
        return await Engine(parts).run(course, ())

    return run_virtual(main, start=1000.0)


def answered(stripe: VirtualStripe, question: Callable[[Any], Awaitable[object]]) -> object:
    """The answer to one question, or the error that it ended with."""
    answers: list[object] = []

    async def course(engine: Engine) -> None:
        answers.append(await question(engine.ask))

    ended = asked(stripe, course)
    return ended.error or answers[0]


# A run.


@pytest.mark.parametrize("trouble", BARE.values(), ids=BARE)
@pytest.mark.parametrize(("policy", "there"), [("skip", "existing"), ("update", "updated"), ("refuse", "failed")])
def test_nobody_is_gone_because_a_proxy_says_so(tmp_path: Path, policy: str, there: str, trouble: Canned) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in range(1, 7)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=8))
    world.stripe.misbehave = meeting(trouble, "retrieve", 2, 4, 7)
    world.run(dedupe="search", on_existing=policy)
    assert world.tally() == {"created": 3, there: 6}
    assert len(world.stripe.account.customers) == 11


@pytest.mark.parametrize(("policy", "there"), [("skip", "existing"), ("update", "updated")])
@pytest.mark.parametrize("dedupe", ["search", "snapshot"])
def test_nobody_whom_a_list_has_shown_is_missing_because_of_one_answer(
    tmp_path: Path, dedupe: str, policy: str, there: str
) -> None:
    """Stripe shows the deleted as deleted; that it knows no such customer contradicts what it has just listed."""
    known = [f"existing.{n:06d}@example.com,New name" for n in range(1, 7)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=8))
    world.stripe.misbehave = meeting(refused(404, "resource_missing"), "retrieve", 2, 4, 7)
    world.run(dedupe=dedupe, on_existing=policy)
    assert world.tally() == {"created": 3, there: 6}
    assert len(world.stripe.account.customers) == 11


@pytest.mark.parametrize("trouble", BARE.values(), ids=BARE)
def test_where_a_proxy_goes_on_saying_so_the_run_stops_and_the_next_one_goes_on(
    tmp_path: Path, trouble: Canned
) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in range(1, 4)]
    world = World(tmp_path, [*people(2), *known], VirtualStripe(existing=5))
    world.stripe.misbehave = meeting(trouble, "retrieve")
    run = world.run(dedupe="snapshot", on_existing="update", pacing=Pacing(max_attempts=3, give_up_after=60.0))
    assert run.exit_code == 3
    assert "created" not in world.tally()
    world.stripe.misbehave = None
    run = world.run(dedupe="snapshot", on_existing="update")
    assert run.exit_code == 0
    assert world.tally() == {"created": 2, "updated": 3}
    assert len(world.stripe.account.customers) == 7


def test_a_list_goes_on_where_a_proxy_did_not_know_its_cursor(tmp_path: Path) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in (7, 380)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=400))
    world.stripe.misbehave = meeting(bare(), "list", 2, 3, 5)
    run = world.run(dedupe="snapshot")
    assert check_promises(world, run) == {"created": 3, "existing": 2}
    again = [a for a in run.arrivals if a.endpoint == "list" and "created[lte]" in a.params]
    assert not again, "no cursor was lost"


def test_a_question_that_is_only_ever_put_off_by_conflicts_ends_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, people(3), VirtualStripe(existing=40))
    world.stripe.misbehave = meeting(refused(409, "lock_timeout"), "list")
    run = world.run(dedupe="snapshot")
    assert (run.exit_code, world.tally().get("created")) == (3, None)
    assert len([a for a in run.arrivals if a.endpoint == "list"]) <= 20
    world.stripe.misbehave = None
    assert world.run(dedupe="snapshot").exit_code == 0


STRAY = Canned(200, {"id": "acct_1Stray", "object": "account"}, {}, "application/json")
"""The answer to another request, left on a kept connection."""


@pytest.mark.parametrize("endpoint", ["list", "search"])
def test_a_page_is_asked_for_again_where_the_answer_to_another_request_came(tmp_path: Path, endpoint: str) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in (7, 380)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=400))
    world.stripe.misbehave = meeting(STRAY, endpoint, 1)
    run = world.run(dedupe="auto" if endpoint == "search" else "snapshot")
    assert check_promises(world, run) == {"created": 3, "existing": 2}
    world = World(tmp_path, people(3), VirtualStripe(existing=400), "ever")
    world.stripe.misbehave = meeting(STRAY, endpoint)
    assert world.run(dedupe="auto" if endpoint == "search" else "snapshot").exit_code == 4


@pytest.mark.parametrize("times", [(1,), (2,)])
def test_one_word_of_a_proxys_takes_no_search_away(tmp_path: Path, times: tuple[int, ...]) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in (7, 380)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=2000))
    world.stripe.misbehave = meeting(bare(), "search", *times)
    run = world.run(dedupe="auto")
    assert run.said("dedupe") == ["search"]
    assert world.tally() == {"created": 3, "existing": 2}


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_search_page_is_listed(tmp_path: Path, status: int) -> None:
    known = [f"existing.{n:06d}@example.com,New name" for n in (7, 38)]
    world = World(tmp_path, [*people(3), *known], VirtualStripe(existing=40))
    world.stripe.misbehave = meeting(bare(status), "search")
    run = world.run(dedupe="auto")
    assert check_promises(world, run) == {"created": 3, "existing": 2}


# Questions.


def test_what_is_asked_of_one_customer_is_answered_by_stripe_alone() -> None:
    stripe = VirtualStripe()
    customer, gone = (stripe.create(f"{name}@example.com", EPOCH + 1) for name in "ab")
    stripe.delete(gone, EPOCH + 2)
    for trouble in BARE.values():
        for question in (reread, retrieved):
            stripe.misbehave = meeting(trouble, "retrieve", len(stripe.arrivals) + 1)
            assert getattr(answered(stripe, partial(_of, question, customer)), "id", None) == customer
            stripe.misbehave = meeting(trouble, "retrieve")
            assert isinstance(answered(stripe, partial(_of, question, customer)), OutOfReach)
    stripe.misbehave = None
    assert answered(stripe, partial(_of, reread, gone)) is None
    assert getattr(answered(stripe, partial(_of, retrieved, gone)), "deleted", None) is True
    assert answered(stripe, partial(_of, retrieved, "cus_Nobody")) is None
    stripe.misbehave = meeting(refused(400, "parameter_unknown"), "retrieve")
    assert isinstance(answered(stripe, partial(_of, reread, customer)), StripeRefuses)


async def _of(question: Any, about: str, ask: Any) -> object:
    return await question(ask, about)


def test_a_method_is_not_detached_because_a_proxy_does_not_know_it() -> None:
    stripe = VirtualStripe()
    customer = stripe.create("a@example.com", EPOCH + 1, payment_method="pm_Old00001")

    async def attached(ask: Any) -> bool:
        return await is_attached(ask, "pm_Old00001", customer)

    for trouble in BARE.values():
        stripe.misbehave = hiding_a_method(trouble, 1)
        assert answered(stripe, attached) is True
        stripe.misbehave = hiding_a_method(trouble, 100)
        assert isinstance(answered(stripe, attached), OutOfReach)
    for status in (400, 403, 405, 501):
        stripe.misbehave = hiding_a_method(refused(status, None), 1)
        assert answered(stripe, attached) is False, "not to be seen with this key, or at this server"


def test_a_key_whose_account_a_proxy_hides_is_asked_for_it_again() -> None:
    stripe = VirtualStripe()

    async def whose(ask: Any) -> Account:
        return await identify(ask, parse_key(KEY), "https://api.stripe.com", b"salt")

    for status in (403, 404):
        stripe.misbehave = meeting(bare(status), "account", 1 + sum(a.endpoint == "account" for a in stripe.arrivals))
        found = answered(stripe, whose)
        assert isinstance(found, Account)
        assert found.id == stripe.account.id
        stripe.misbehave = meeting(bare(status), "account")
        found = answered(stripe, whose)
        assert isinstance(found, Account)
        assert not found.is_named, "a server without such a page"


# An undo.


def _made(stripe: VirtualStripe) -> Pairing:
    metadata = {MARKER: f"{TOKEN}:1:0"}
    customer = stripe.create("a@example.com", EPOCH + 1, metadata=metadata)
    digest = json.loads(digest_of({"email": "a@example.com", "metadata": metadata}, KNOWN.salt))
    return Pairing(1, Status.CREATED, customer, "a@example.com", "a@example.com", 0, digest, None)


def _undone(stripe: VirtualStripe, pairing: Pairing) -> object:
    return answered(stripe, lambda ask: Undoer(ask, KNOWN, stripe.now).undo(pairing))


@pytest.mark.parametrize("trouble", BARE.values(), ids=BARE)
def test_a_delete_that_a_proxy_answers_is_no_delete(trouble: Canned) -> None:
    for times in ((1,), ()):
        stripe = VirtualStripe()
        pairing = _made(stripe)
        stripe.misbehave = meeting(trouble, "delete", *times)
        found = _undone(stripe, pairing)
        there = [c for c in stripe.account.customers.values() if not c.get("deleted")]
        assert (found == Gone(by_us=True)) is (not there)
        if not times:
            assert isinstance(found, OutOfReach | Left)


@pytest.mark.parametrize("trouble", BARE.values(), ids=BARE)
def test_an_undo_does_not_take_a_proxy_for_another_account(trouble: Canned) -> None:
    stripe = VirtualStripe()
    pairing = _made(stripe)
    stripe.misbehave = meeting(trouble, "retrieve", 1)
    assert _undone(stripe, pairing) == Gone(by_us=True)


@pytest.mark.parametrize("trouble", BARE.values(), ids=BARE)
def test_a_method_that_a_proxy_hides_is_still_detached_by_an_undo(trouble: Canned) -> None:
    stripe = VirtualStripe()
    customer = stripe.create("a@example.com", EPOCH + 1)
    call = Call(
        "POST", "/v1/payment_methods/pm_New00001/attach", {"customer": customer}, {"authorization": f"Bearer {KEY}"}
    )
    assert stripe.account.handle(call, EPOCH + 2).status == 200
    image = Image(1, customer, {METHOD: None}, {METHOD: "pm_New00001"}, "pm_New00001")
    stripe.misbehave = hiding_a_method(trouble, 1)
    found = answered(stripe, lambda ask: Restorer(ask, _no_nap, KNOWN, stripe.now).restore(image))
    assert found == Restored(by_us=True)
    (record,) = (record for _, record in stripe.account.records())
    assert record.methods == ()


async def _no_nap(seconds: float) -> None:
    return None


@pytest.mark.parametrize(
    ("reply", "missing"),
    [
        (Reply(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}), True),
        (Reply(404, {"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}), False),
        (Reply(404, {"detail": "Not Found"}), False),
        (Reply(404, {"error": "not found"}), False),
        (Reply(404, None, "not-json"), False),
        (Reply(400, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}), False),
        (Reply(200, {"id": "cus_1", "deleted": True}), False),
    ],
)
def test_only_stripes_own_word_makes_a_customer_missing(reply: Reply, missing: bool) -> None:
    assert is_missing(reply) is missing
