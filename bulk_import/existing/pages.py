"""Lists of customers as pages, and what a page's objects mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from bulk_import.errors import StripeRefuses
from bulk_import.existing.directory import Ask, Means
from bulk_import.model import MARKER, Customer, Endpoint, Params, Reply, Request
from bulk_import.settle import refusal_of

PAGE = 100
"""The most customers Stripe puts on one page."""


def customer_from(raw: Mapping[str, Any]) -> Customer | None:
    """Reduce one object of an answer to what the importer asks about; None for anything but a customer."""
    found = raw.get("id")
    if not isinstance(found, str) or not found.startswith("cus_"):
        return None
    email, created, metadata = raw.get("email"), raw.get("created"), raw.get("metadata")
    marker = metadata.get(MARKER) if isinstance(metadata, Mapping) else None
    return Customer(
        found,
        email if isinstance(email, str) else None,
        created if isinstance(created, int) else 0,
        raw.get("livemode") is True,
        marker if isinstance(marker, str) else None,
        raw.get("deleted") is True,
        raw,
    )


def customers_on(reply: Reply) -> list[Customer]:
    """The customers on one page; raises `StripeRefuses` when the answer is no page at all."""
    data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
    if reply.status != 200 or not isinstance(data, list):
        why = refusal_of(reply).message or f"status {reply.status}"
        raise StripeRefuses(
            f"Stripe would not list customers ({why}); give the key read access to customers, or choose --dedupe off"
        )
    found = [customer_from(raw) for raw in data if isinstance(raw, Mapping)]
    return [customer for customer in found if customer is not None and not customer.deleted]


def has_more(reply: Reply) -> bool:
    """Whether the list goes on after this page."""
    return isinstance(reply.body, Mapping) and reply.body.get("has_more") is True


async def pages(ask: Ask, params: Params) -> AsyncIterator[list[Customer]]:
    """Every page of one list of customers, newest first."""
    cursor: dict[str, str] = {}
    while True:
        reply = await ask(Request(Endpoint.LIST, "GET", "/v1/customers", {"limit": PAGE, **params, **cursor}))
        found = customers_on(reply)
        yield found
        if not has_more(reply):
            return
        last = last_id(reply)
        if last is None or cursor.get("starting_after") == last:
            raise goes_nowhere()
        cursor = {"starting_after": last}


def goes_nowhere() -> StripeRefuses:
    """A list that has more to show and no way to it: what it shows proves nothing about who is not in it."""
    return StripeRefuses(
        "the list of customers says that there is more and does not go on, so this is not Stripe talking; "
        "check --api-base and any proxy, then run the same command again"
    )


def last_id(reply: Reply) -> str | None:
    """The cursor that continues after this page."""
    data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
    last = data[-1].get("id") if isinstance(data, list) and data and isinstance(data[-1], Mapping) else None
    return last if isinstance(last, str) else None


def key_of(means: Means, customer: Customer) -> str | None:
    """What a customer's e-mail is compared by, None without one that can be compared."""
    return means.key(customer.email) if customer.email else None


def by_key(means: Means, customers: Sequence[Customer]) -> dict[str, list[Customer]]:
    """Customers by their e-mail key, oldest first."""
    found: dict[str, list[Customer]] = {}
    for customer in sorted(customers, key=lambda c: (c.created, c.id)):
        key = key_of(means, customer)
        if key is not None:
            found.setdefault(key, []).append(customer)
    return found
