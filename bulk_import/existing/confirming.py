"""Matches that may be old are looked at once more: a search, or an earlier process, may show who was deleted since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.pages import customer_from, key_of
from bulk_import.model import Customer, Endpoint, Reply, Request
from bulk_import.replies import NOT_SERVED, is_missing

AT_ONCE = 16
"""Customers that are looked at side by side; the gate decides how fast that starts."""


async def confirmed(means: Means, found: Matches, seen: frozenset[str] = frozenset()) -> Matches:
    """The matches that are still true; who was *seen* by this process in a list is believed.

    One that is re-read anyway is asked for once, not twice, unless there are several to be counted.
    """
    left = {key for key, there in found.items() if means.rereads and len(there) == 1}
    sure = {c.id for key, there in found.items() for c in there if key in left or c.id in seen}
    asked = [(key, customer) for key, there in found.items() for customer in there if customer.id not in sure]
    await means.together([partial(_confirm, means, key, customer, sure) for key, customer in asked], AT_ONCE)
    return {key: there for key, some in found.items() if (there := [c for c in some if c.id in sure])}


async def _confirm(means: Means, key: str, customer: Customer, sure: set[str]) -> Sequence[Piece]:
    """See whether a customer is still there and still has the e-mail it was found by."""
    request = Request(Endpoint.RETRIEVE, "GET", f"/v1/customers/{customer.id}")
    reply = await means.ask(request, accept=NOT_SERVED)
    if _is_gone(means, key, reply):
        await means.offload(means.writer.forget, customer.id)
    else:
        sure.add(customer.id)
    return ()


def _is_gone(means: Means, key: str, reply: Reply) -> bool:
    """Only Stripe's own word for it makes a match untrue: to believe in nobody would make a twin."""
    if reply.status == 200 and isinstance(reply.body, Mapping):
        now = customer_from(reply.body)
        return now is None or now.deleted or key_of(means, now) != key
    return is_missing(reply)
