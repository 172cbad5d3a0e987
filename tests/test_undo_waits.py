"""What an undo sends follows a look of a moment ago, however long it had to wait: for an outage, a turn, or an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bulk_import.digest import digest_of
from bulk_import.image import Image, after_of
from bulk_import.ledger import Pairing
from bulk_import.model import MARKER, Status
from bulk_import.restore import Restored, Restorer
from bulk_import.simulator import Fault
from bulk_import.undo import Gone, Left, Undoer
from tests.test_proxy_refusals import KNOWN, TOKEN, answered
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


@pytest.mark.parametrize("changed", [{}, {"name": "Eve"}])
def test_whoever_was_touched_while_the_delete_waited_is_left(changed: dict[str, Any]) -> None:
    stripe = VirtualStripe()
    metadata = {MARKER: f"{TOKEN}:1:0"}
    customer = stripe.create("a@example.com", EPOCH + 1, metadata=metadata)
    digest = json.loads(digest_of({"email": "a@example.com", "metadata": metadata}, KNOWN.salt))
    pairing = Pairing(1, Status.CREATED, customer, "a@example.com", "a@example.com", 0, digest, None)
    out_of_reach_from(stripe, "delete", customer, **changed)
    found = answered(stripe, lambda ask: Undoer(ask, KNOWN, stripe.now).undo(pairing))
    assert found == (Left("somebody has touched it: name") if changed else Gone(by_us=True))
    assert (customer in stripe.account.customers) is bool(changed)


@pytest.mark.parametrize("changed", [{}, {"name": "Eve"}])
def test_what_somebody_changed_while_its_former_value_waited_to_be_sent_stays(changed: dict[str, Any]) -> None:
    stripe = VirtualStripe()
    customer = stripe.create("a@example.com", EPOCH + 1, name="New")
    image = Image(1, customer, {"name": "Old"}, after_of({"name": "New"}, KNOWN.salt))
    out_of_reach_from(stripe, "update", customer, **changed)
    found = answered(stripe, lambda ask: Restorer(ask, asyncio.sleep, KNOWN, stripe.now).restore(image))
    assert found == (Left("somebody has changed it since: name") if changed else Restored(by_us=True))
    assert stripe.account.customers[customer]["name"] == changed.get("name", "Old")
