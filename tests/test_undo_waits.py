"""What an undo sends follows a look of a moment ago, however long it had to wait: for an outage, a turn, or an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from bulk_import.digest import digest_of
from bulk_import.engine import Engine, Stopped
from bulk_import.errors import OutOfReach
from bulk_import.existing import Piece
from bulk_import.image import Image, after_of
from bulk_import.ledger import Pairing
from bulk_import.model import MARKER, Status
from bulk_import.restore import Restored, Restorer
from bulk_import.simulator import Fault
from bulk_import.undo import Gone, Left, Undoer
from tests.test_proxy_refusals import KNOWN, TOKEN, answered, asked
from tests.virtual_stripe import EPOCH, VirtualStripe

OUTAGE = 60.0
EVE = 30.0
"""Seconds into the outage at which somebody works on the customer."""


def out_of_reach_from(stripe: VirtualStripe, endpoint: str, customer: str, **changed: Any) -> None:
    """Nobody answers from the first request of *endpoint* on, for a minute; meanwhile the customer is *changed*."""

    def trouble(arrival: Any) -> Fault | None:
        if arrival.endpoint != endpoint or stripe.gone[1]:
            return None
        stripe.gone = (arrival.at, arrival.at + OUTAGE)
        if changed:
            loop = asyncio.get_running_loop()
            loop.call_later(EVE, lambda: stripe.change(customer, EPOCH + arrival.at + EVE, **changed))
        return Fault("refuse", acts=False)

    stripe.misbehave = trouble


def created(stripe: VirtualStripe, row: int) -> Pairing:
    """A row whose customer is as it was made."""
    email, metadata = f"p{row}@example.com", {MARKER: f"{TOKEN}:{row}:0"}
    customer = stripe.create(email, EPOCH + 1, metadata=metadata)
    digest = json.loads(digest_of({"email": email, "metadata": metadata}, KNOWN.salt))
    return Pairing(row, Status.CREATED, customer, email, email, 0, digest, None)


def updated(stripe: VirtualStripe, row: int) -> Image:
    """A row whose customer is as it was updated."""
    customer = stripe.create(f"p{row}@example.com", EPOCH + 1, name="New")
    return Image(row, customer, {"name": "Old"}, after_of({"name": "New"}, KNOWN.salt))


@pytest.mark.parametrize("changed", [{}, {"name": "Eve"}])
def test_whoever_was_touched_while_the_delete_waited_is_left(changed: dict[str, Any]) -> None:
    stripe = VirtualStripe()
    pairing = created(stripe, 1)
    customer = pairing.customer_id or ""
    out_of_reach_from(stripe, "delete", customer, **changed)
    found = answered(stripe, lambda ask: Undoer(ask, KNOWN, stripe.now).undo(pairing))
    assert found == (Left("somebody has touched it: name") if changed else Gone(by_us=True))
    assert (customer in stripe.account.customers) is bool(changed)


@pytest.mark.parametrize("changed", [{}, {"name": "Eve"}])
def test_what_somebody_changed_while_its_former_value_waited_to_be_sent_stays(changed: dict[str, Any]) -> None:
    stripe = VirtualStripe()
    image = updated(stripe, 1)
    customer = image.target
    out_of_reach_from(stripe, "update", customer, **changed)
    found = answered(stripe, lambda ask: Restorer(ask, asyncio.sleep, KNOWN, stripe.now).restore(image))
    assert found == (Left("somebody has changed it since: name") if changed else Restored(by_us=True))
    assert stripe.account.customers[customer]["name"] == changed.get("name", "Old")


def halted_at(
    stripe: VirtualStripe, endpoint: str, taken_back: Callable[[Engine], Sequence[Callable[[], Awaitable[object]]]]
) -> None:
    """Take customers back side by side until the third request of *endpoint* has arrived."""

    async def course(engine: Engine) -> None:
        def trouble(arrival: Any) -> None:
            if (arrival.endpoint, arrival.nth) == (endpoint, 3):
                engine.halt(OutOfReach("nobody answers"))

        async def one(take_back: Callable[[], Awaitable[object]]) -> Sequence[Piece]:
            with suppress(Stopped):
                await take_back()
            return ()

        stripe.misbehave = trouble
        await engine.together([partial(one, each) for each in taken_back(engine)], 16)

    assert isinstance(asked(stripe, course).error, OutOfReach)


def test_only_those_whose_delete_went_out_count_as_perhaps_deleted() -> None:
    stripe = VirtualStripe()
    pairings = [created(stripe, row) for row in range(1, 13)]
    undoers: list[Undoer] = []

    def taken_back(engine: Engine) -> list[Callable[[], Awaitable[object]]]:
        undoers.append(Undoer(engine.ask, KNOWN, stripe.now))
        return [partial(undoers[0].undo, pairing) for pairing in pairings]

    halted_at(stripe, "delete", taken_back)
    assert undoers[0].begun == {p.row for p in pairings if p.customer_id not in stripe.account.customers}


def test_only_those_whose_former_values_went_out_count_as_perhaps_put_back() -> None:
    stripe = VirtualStripe()
    images = [updated(stripe, row) for row in range(1, 13)]
    restorers: list[Restorer] = []

    def taken_back(engine: Engine) -> list[Callable[[], Awaitable[object]]]:
        restorers.append(Restorer(engine.ask, engine.nap, KNOWN, stripe.now))
        return [partial(restorers[0].restore, image) for image in images]

    halted_at(stripe, "update", taken_back)
    put_back = {i.row for i in images if stripe.account.customers[i.target]["name"] == "Old"}
    assert restorers[0].begun == put_back
