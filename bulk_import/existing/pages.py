"""Lists of customers as pages, and what a page's objects mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulk_import.errors import StripeRefuses
from bulk_import.existing.directory import Ask, Means
from bulk_import.model import MARKER, Customer, Endpoint, Params, Reply, Request
from bulk_import.replies import NOT_SERVED, is_missing, refusal_of

PAGE = 100
"""The most customers Stripe puts on one page."""

END_OF_TIME = 2**40
"""Seconds since the epoch that no `created` reaches; the ledger keeps no number beyond 63 bits."""


def customer_from(raw: Mapping[str, Any]) -> Customer | None:
    """Reduce one object of an answer to what the importer asks about; None for anything but a customer."""
    found = raw.get("id")
    if not isinstance(found, str) or not found.startswith("cus_"):
        return None
    email, created, metadata = raw.get("email"), raw.get("created"), raw.get("metadata")
    marker = metadata.get(MARKER) if isinstance(metadata, dict | Mapping) else None
    return Customer(
        found,
        email if isinstance(email, str) else None,
        created if isinstance(created, int) and 0 <= created < END_OF_TIME else 0,
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
    if not isinstance(reply.body.get("has_more"), bool):
        raise StripeRefuses(
            "the list of customers does not say whether there is more, so this is not Stripe talking; "
            "check --api-base and any proxy, then run the same command again"
        )
    found = [customer_from(raw) if isinstance(raw, dict | Mapping) else None for raw in data]
    customers = [customer for customer in found if customer is not None]
    if len(customers) < len(data):
        raise StripeRefuses(
            "the list of customers holds things that are no customers, so this is not Stripe talking; "
            "check --api-base and any proxy, then run the same command again"
        )
    return [customer for customer in customers if not customer.deleted]


def has_more(reply: Reply) -> bool:
    """Whether the list goes on after this page."""
    return isinstance(reply.body, Mapping) and reply.body.get("has_more") is True


GONE = (400, 404)
"""Answers to a list whose cursor was deleted a moment ago."""

BACK = 5
"""Customers at the end of a page who can mark where the list goes on, should the last ones be deleted meanwhile."""


@dataclass(slots=True)
class Cursor:
    """Where a list goes on: behind the last of `trail`.

    `mark` is where it was some pages ago, moved each time their number has doubled: a list that goes in a circle, however
    long, comes by there again.
    """

    trail: list[str] = field(default_factory=list)
    mark: str | None = None
    pages: int = 0

    def params(self) -> Params:
        """What makes a list request go on here."""
        return {"starting_after": self.trail[-1]} if self.trail else {}

    def is_gone(self, reply: Reply) -> bool:
        """Step back by one customer where *reply* says that the last one is not there any more."""
        if len(self.trail) < 2 or reply.status not in GONE or refusal_of(reply).code != "resource_missing":
            return False
        self.trail.pop()
        return True

    def follow(self, reply: Reply) -> bool:
        """Move behind the page in *reply*; False at the end of the list. Raises `StripeRefuses` for a list without a way on."""
        if not has_more(reply):
            return False
        data = reply.body["data"]
        shown = [one.get("id") for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
        trail = [found for found in shown[-BACK:] if isinstance(found, str)]
        if not trail or trail[-1] in (*self.trail[-1:], self.mark):
            raise goes_nowhere()
        self.trail, self.pages = trail, self.pages + 1
        if self.pages.bit_count() == 1:
            self.mark = trail[-1]
        return True


async def pages(ask: Ask, params: Params) -> AsyncIterator[list[Customer]]:
    """Every page of one list of customers, newest first."""
    cursor = Cursor()
    while True:
        reply = await ask(Request(Endpoint.LIST, "GET", "/v1/customers", {"limit": PAGE, **params, **cursor.params()}))
        if cursor.is_gone(reply):
            continue
        yield customers_on(reply)
        if not cursor.follow(reply):
            return


def goes_nowhere() -> StripeRefuses:
    """A list that has more to show and no way to it: what it shows proves nothing about who is not in it."""
    return StripeRefuses(
        "the list of customers says that there is more and does not go on, so this is not Stripe talking; "
        "check --api-base and any proxy, then run the same command again"
    )


def key_of(means: Means, customer: Customer) -> str | None:
    """What a customer's e-mail is compared by, None without one that can be compared."""
    return means.key(customer.email) if customer.email else None


def by_key(means: Means, customers: Sequence[Customer]) -> dict[str, list[Customer]]:
    """Customers by their e-mail key, oldest first."""
    found: dict[str, list[Customer]] = {}
    for customer in sorted({c.id: c for c in customers}.values(), key=lambda c: (c.created, c.id)):
        key = key_of(means, customer)
        if key is not None:
            found.setdefault(key, []).append(customer)
    return found


async def retrieved(ask: Ask, customer_id: str, expand: Sequence[str] = ()) -> Customer | None:
    """One customer as Stripe shows it now, perhaps as deleted; None where Stripe itself says that it knows no such customer.

    Raises `StripeRefuses` where Stripe says neither: to believe in nobody would make a twin.
    """
    params: Params = {"expand": list(expand)} if expand else {}
    reply = await ask(Request(Endpoint.RETRIEVE, "GET", f"/v1/customers/{customer_id}", params))
    shown = customer_from(reply.body) if reply.status == 200 and isinstance(reply.body, Mapping) else None
    if shown is None and not is_missing(reply):
        raise StripeRefuses(
            f"Stripe would not show {customer_id} ({refusal_of(reply).message}); "
            "give the key read access to customers and run the same command again"
        )
    return shown


async def reread(ask: Ask, customer_id: str, expand: Sequence[str] = ()) -> Customer | None:
    """One customer as Stripe shows it now; None for one that is not there, or not any more."""
    shown = await retrieved(ask, customer_id, expand)
    return None if shown is None or shown.deleted else shown


NO_METHODS = (403, 405, 501)
"""Answers that only mean: not to be seen with this key, or at this server."""

UNSEEN = (403, *NOT_SERVED)
"""The same and what a proxy may say as well: for whoever does nothing worse upon it than to attach once more."""


async def is_attached(ask: Ask, method: str, customer_id: str | None, *, accept: tuple[int, ...] = NO_METHODS) -> bool:
    """Whether a payment method is this customer's; False where that is not to be seen, as the statuses in *accept* say."""
    reply = await ask(Request(Endpoint.RETRIEVE, "GET", f"/v1/payment_methods/{method}"), accept=accept)
    return reply.status == 200 and isinstance(reply.body, Mapping) and reply.body.get("customer") == customer_id


async def attached_since(ask: Ask, customer_id: str, since: float) -> str | None:
    """The oldest card that came to this customer from then on (by Stripe's clock); None where none is to be seen."""
    path, params = f"/v1/customers/{customer_id}/payment_methods", {"type": "card", "limit": PAGE}
    reply = await ask(Request(Endpoint.LIST, "GET", path, params), accept=UNSEEN)
    data = reply.body.get("data") if reply.status == 200 and isinstance(reply.body, Mapping) else None
    found = [one for one in data if isinstance(one, dict | Mapping)] if isinstance(data, list) else []
    dated = [(one.get("created"), one.get("id")) for one in found if one.get("customer") == customer_id]
    came = [(at, id_) for at, id_ in dated if isinstance(at, int) and isinstance(id_, str) and at >= int(since)]
    return min(came)[1] if came else None
