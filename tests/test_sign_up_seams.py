"""`find_or_create` on virtual time: short-lived processes that share nothing but Stripe, around the change of a day and stored failures.

The oracle is the account: however the calls interleave, one person has at most one customer.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import pytest

from bulk_import import BulkImportError, Client, CustomerRefused, FoundOrCreated, OutOfReach, find_or_create
from bulk_import.customer.emails import email_key
from bulk_import.model import Reply, Request
from bulk_import.pace import Gate
from bulk_import.signup.day import ACTING, SECONDS, day_of
from bulk_import.simulator import Fault
from bulk_import.simulator.faults import Canned
from bulk_import.stripe_api.sending import StripeApi
from tests.rig import KEY
from tests.virtual_stripe import EPOCH, HANG, Arrival, Trouble, VirtualStripe
from tests.virtual_time import run_virtual

ANN = "ann@example.com"
SEAM = day_of(ANN, EPOCH + 100_000).starts_at - EPOCH
"""When one of Ann's days begins, on the loop's clock."""

DEADLINE = 5.0


class Wire:
    """One process's way to the virtual account."""

    def __init__(self, stripe: VirtualStripe) -> None:
        self._stripe = stripe

    async def send(self, request: Request) -> Reply:
        """The server goes on with what has reached it, whoever has stopped waiting."""
        exchange = asyncio.create_task(self._stripe.send(request, KEY, 2 * HANG))
        try:
            return await asyncio.wait_for(asyncio.shield(exchange), DEADLINE)
        except TimeoutError:
            return Reply(None, fault="timeout", detail="no answer came", seconds=DEADLINE)


class Process(Client):
    """A client that has just started, on virtual time."""

    def __init__(self, stripe: VirtualStripe, patience: float = 90.0) -> None:
        super().__init__(KEY, rate=500.0, timeout=DEADLINE, patience=patience)
        self._stripe = stripe

    async def __aenter__(self) -> Self:
        self._gate = Gate(500.0, {}, give_up_after=math.inf)
        self._api = cast(StripeApi, Wire(self._stripe))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api = None


async def call(
    stripe: VirtualStripe, at: float, email: str = ANN, patience: float = 90.0, **fields: Any
) -> FoundOrCreated | BulkImportError:
    """One call of one process of its own, begun at *at* of the loop's clock."""
    await asyncio.sleep(at - asyncio.get_running_loop().time())
    try:
        async with Process(stripe, patience) as client:
            return await find_or_create(client, email, **fields)
    except BulkImportError as error:
        return error


def played(
    stripe: VirtualStripe, *calls: Callable[[], Any], start: float = SEAM - 100
) -> list[FoundOrCreated | BulkImportError]:
    """What all of these calls come to."""

    async def main() -> list[Any]:
        found = list(await asyncio.gather(*(each() for each in calls)))
        await asyncio.sleep(HANG)  # whatever is on its way arrives
        return found

    return run_virtual(main, start=start)


def anns(stripe: VirtualStripe) -> list[str]:
    """Customers with Ann's e-mail in any letter case."""
    there = stripe.account.customers.values()
    return [c["id"] for c in there if not c.get("deleted") and c["email"] and email_key(c["email"]) == ANN]


def late(seconds: float, first: int = 1) -> Callable[[Arrival], Trouble | None]:
    """The first creates are carried out so much later, and nobody is told."""

    def misbehave(arrival: Arrival) -> Trouble | None:
        is_late = arrival.endpoint == "create" and arrival.nth <= first
        return Fault("act-after-giveup", acts=True, seconds=seconds) if is_late else None

    return misbehave


@pytest.mark.parametrize("begun", [-4.0, -1.2, -0.3])
@pytest.mark.parametrize("then", [0.2, 1.0, 8.0, 25.0])
@pytest.mark.parametrize("seconds", [0.0, 3.0, 14.0])
@pytest.mark.parametrize("other", ["ann@example.com", "Ann@Example.com"])
def test_two_calls_on_either_side_of_a_day_make_one_customer(
    begun: float, then: float, seconds: float, other: str
) -> None:
    stripe = VirtualStripe(search_lag=3600.0)
    stripe.misbehave = late(seconds)
    found = played(stripe, lambda: call(stripe, SEAM + begun), lambda: call(stripe, SEAM + then, other))
    assert [f.customer_id for f in found if isinstance(f, FoundOrCreated)] == anns(stripe) * 2


def test_a_day_that_begins_with_nobody_makes_its_customer_after_the_wait() -> None:
    stripe = VirtualStripe()
    [found] = played(stripe, lambda: call(stripe, SEAM + 1))
    assert isinstance(found, FoundOrCreated)
    assert found.is_new
    assert [a.at >= SEAM + ACTING for a in stripe.arrivals if a.endpoint == "create"] == [True]


def test_little_patience_is_told_how_long_to_wait() -> None:
    stripe = VirtualStripe()
    [refused] = played(stripe, lambda: call(stripe, SEAM + 5, patience=5.0))
    assert isinstance(refused, OutOfReach)
    assert "call again in 1" in str(refused)
    assert anns(stripe) == []


def test_a_customer_of_yesterday_is_found_in_other_letters_while_search_is_late() -> None:
    stripe = VirtualStripe(search_lag=3600.0)
    found = played(
        stripe,
        lambda: call(stripe, SEAM - 600, "ANN@example.com"),
        lambda: call(stripe, SEAM + 600),
        start=SEAM - 700,
    )
    assert [f.customer_id for f in found if isinstance(f, FoundOrCreated)] == anns(stripe) * 2


def failing(times: int, acted: bool = False) -> Callable[[Arrival], Trouble | None]:
    """The first creates under new keys end in a failure that Stripe stores."""
    keys: list[str | None] = []

    def misbehave(arrival: Arrival) -> Trouble | None:
        if arrival.endpoint != "create" or arrival.key in keys:
            return None
        keys.append(arrival.key)
        return Fault("500", acts=acted) if len(keys) <= times else None

    return misbehave


@pytest.mark.parametrize("acted", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_stored_failures_are_left_behind_within_one_call(times: int, acted: bool) -> None:
    stripe = VirtualStripe(search_lag=3600.0)
    stripe.misbehave = failing(times, acted)
    [found] = played(stripe, lambda: call(stripe, SEAM + 1000), start=SEAM + 1000)
    assert isinstance(found, FoundOrCreated)
    assert anns(stripe) == [found.customer_id]


@pytest.mark.parametrize("apart", [0.0, 0.3, 4.9, 5.2, 7.0, 30.0])
@pytest.mark.parametrize("name", [None, "Ann"])
def test_processes_that_meet_the_same_stored_failure_go_to_the_same_next_key(apart: float, name: str | None) -> None:
    stripe = VirtualStripe(search_lag=3600.0)
    stripe.misbehave = failing(2)
    found = played(
        stripe,
        lambda: call(stripe, SEAM + 1000),
        lambda: call(stripe, SEAM + 1000 + apart, "Ann@example.com", name=name),
        lambda: call(stripe, SEAM + 1000 + 2 * apart),
        start=SEAM + 1000,
    )
    assert [f.customer_id for f in found if isinstance(f, FoundOrCreated)] == anns(stripe) * 3


@pytest.mark.parametrize("seconds", [0.5, 4.0, 14.0])
def test_a_create_with_other_fields_that_is_on_its_way_is_waited_for(seconds: float) -> None:
    stripe = VirtualStripe(search_lag=3600.0)
    stripe.misbehave = late(seconds)
    found = played(
        stripe,
        lambda: call(stripe, SEAM + 1000, name="Ann"),
        lambda: call(stripe, SEAM + 1000.4, "Ann@example.com", name="Bea"),
        start=SEAM + 1000,
    )
    assert [f.customer_id for f in found if isinstance(f, FoundOrCreated)] == anns(stripe) * 2


FAULTS = (
    Fault("500", acts=False), Fault("500", acts=True), Fault("act-after-giveup", acts=True, seconds=1.0),
    Fault("act-after-giveup", acts=True, seconds=12.0), Fault("act-then-drop", acts=True), Fault("truncate", acts=True),
    Fault("act-after-giveup", acts=True, seconds=15.0), Fault("act-after-giveup", acts=True, seconds=9.0),
    Fault("429", acts=False), Fault("hang", acts=False), Fault("reset", acts=False), Fault("503", acts=False),
)  # fmt: skip
SPELLED = (ANN, "Ann@Example.com", "ANN@EXAMPLE.COM")
NAMES = (None, None, "Ann")
PATIENCE = (4.0, 30.0, 90.0)


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 3000), marks=pytest.mark.soak)])
def test_no_interleaving_of_calls_faults_and_deletions_makes_a_second_customer(seeds: Sequence[int]) -> None:
    for seed in seeds:
        dice = random.Random(seed)  # noqa: S311 - reproducible on purpose, guards nothing
        stripe = VirtualStripe(search_lag=dice.choice([1.0, 3600.0]), seed=seed, latency=dice.choice([0.1, 2.0]))
        often, about = dice.choice([0.0, 0.2, 0.5]), dice.choice([SEAM, SEAM + 40_000, SEAM - 30])
        stripe.misbehave = _at_random(dice, often)
        starts = [about + dice.choice([dice.uniform(-40, 40), dice.uniform(-3, 3)]) for _ in range(dice.randint(2, 8))]
        calls = [
            partial(call, stripe, at, dice.choice(SPELLED), dice.choice(PATIENCE), name=dice.choice(NAMES))
            for at in starts
        ]
        found = played(stripe, *calls, start=about - 60)
        unexpected = [f for f in found if not isinstance(f, FoundOrCreated | OutOfReach)]
        assert not unexpected, seed
        assert len(anns(stripe)) <= 1, seed
        assert {f.customer_id for f in found if isinstance(f, FoundOrCreated)} <= set(anns(stripe)), seed
        stripe.misbehave = None
        later = about + dice.choice([600, 7200, SECONDS])
        [last] = played(stripe, lambda: call(stripe, later, patience=200), start=later)  # noqa: B023 - called at once
        assert isinstance(last, FoundOrCreated), (seed, last)
        assert anns(stripe) == [last.customer_id], seed


def _at_random(dice: random.Random, often: float) -> Callable[[Arrival], Trouble | None]:
    def misbehave(arrival: Arrival) -> Trouble | None:
        return dice.choice(FAULTS) if arrival.endpoint == "create" and dice.random() < often else None

    return misbehave


def test_who_was_deleted_is_made_once_more_by_all_together() -> None:
    stripe = VirtualStripe(search_lag=1.0)
    [first] = played(stripe, lambda: call(stripe, SEAM + 1000), start=SEAM + 1000)
    assert isinstance(first, FoundOrCreated)
    stripe.delete(first.customer_id, EPOCH + SEAM + 1100)
    at = SEAM + 1200
    again = played(
        stripe, *(lambda n=n: call(stripe, at + n / 10, name=None if n else "Ann") for n in range(4)), start=at
    )
    assert len(anns(stripe)) == 1
    assert {f.customer_id for f in again if isinstance(f, FoundOrCreated)} == set(anns(stripe))


def test_a_declined_card_is_not_a_day_lost() -> None:
    stripe = VirtualStripe()
    declined, taken = (
        played(stripe, lambda: call(stripe, SEAM + at, payment_method=card), start=SEAM + at)[0]  # noqa: B023 - called at once
        for at, card in ((1000, "pm_card_chargeDeclined"), (1100, "pm_card_visa"))
    )
    assert isinstance(declined, CustomerRefused)
    assert isinstance(taken, FoundOrCreated)
    assert anns(stripe) == [taken.customer_id]


def test_a_client_outlives_an_outage_that_was_longer_than_its_patience() -> None:
    stripe = VirtualStripe()
    stripe.gone = (SEAM + 1001, SEAM + 1400)

    async def main() -> list[FoundOrCreated | BulkImportError]:
        found: list[FoundOrCreated | BulkImportError] = []
        async with Process(stripe, patience=20.0) as client:
            for at in (1000, 1010, 1100, 1300, 1500):
                await asyncio.sleep(SEAM + at - asyncio.get_running_loop().time())
                try:
                    found.append(await find_or_create(client, f"user.{at}@example.com"))
                except BulkImportError as error:
                    found.append(error)
        return found

    found = run_virtual(main, start=SEAM + 1000)
    assert [type(each) for each in found] == [FoundOrCreated, OutOfReach, OutOfReach, OutOfReach, FoundOrCreated]


@pytest.mark.parametrize("endpoint", ["account", "search", "retrieve"])
def test_what_a_proxy_says_makes_no_second_customer(endpoint: str) -> None:
    stripe = VirtualStripe(search_lag=0.0)
    stripe.create("Ann@example.com", EPOCH + SEAM - 90_000)  # only a search finds these letters
    page = Canned(404, "<html>404 page not found</html>", {}, "text/html")
    stripe.misbehave = lambda a: page if a.endpoint == endpoint and a.nth < 3 else None
    found = played(stripe, partial(call, stripe, SEAM + 3600), partial(call, stripe, SEAM + 3600))
    assert all(isinstance(each, FoundOrCreated) for each in found)
    assert len(anns(stripe)) == 1
