"""The requests that carry out one claim, in order, each with an idempotency key of its own (pure).

A create is one request. An update is up to three kinds of them, in the order that Stripe needs: attach the payment
method, send what differs (a default payment method must be attached by then), add tax ids. The likeliest refusal, a
declined card, so comes before anything was changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from bulk_import.change import known_as
from bulk_import.customer_parts import METHOD, TAX_IDS
from bulk_import.model import Claim, Endpoint, Params, Refusal, Request, idempotency_key


class Makes(StrEnum):
    """What the answer to a step must hold."""

    CUSTOMER = "customer"
    PAYMENT_METHOD = "payment method"
    TAX_ID = "tax id"


class Step(NamedTuple):
    """One POST of a claim; `number` counts from 0 and is part of the key."""

    number: int
    makes: Makes
    endpoint: Endpoint
    path: str
    params: Params

    def request(self, claim: Claim, token: str, attached: str | None) -> Request:
        """The request of this step; *attached* is the id that the payment method got when it was attached."""
        params = known_as(claim.params, attached) if attached and self.makes is Makes.CUSTOMER else claim.params
        body = _fields(params) if self.makes is Makes.CUSTOMER and claim.target is not None else self.params
        key = idempotency_key(token, claim.row, claim.generation, self.number)
        return Request(self.endpoint, "POST", self.path, body, key)


def steps_of(claim: Claim) -> tuple[Step, ...]:
    """All steps of a claim; what of its parameters is empty takes none."""
    if claim.target is None:
        return (Step(0, Makes.CUSTOMER, Endpoint.CREATE, "/v1/customers", claim.params),)
    return tuple(step._replace(number=number) for number, step in enumerate(_of_update(claim.target, claim.params)))


def _of_update(target: str, params: Params) -> Iterator[Step]:
    if METHOD in params:
        path = f"/v1/payment_methods/{params[METHOD]}/attach"
        yield Step(0, Makes.PAYMENT_METHOD, Endpoint.ATTACH, path, {"customer": target})
    if fields := _fields(params):
        yield Step(0, Makes.CUSTOMER, Endpoint.UPDATE, f"/v1/customers/{target}", fields)
    for tax_id in params.get(TAX_IDS, ()):
        # Stripe counts these apart; under the cap of updates they are slower than they might be, never faster.
        yield Step(0, Makes.TAX_ID, Endpoint.UPDATE, f"/v1/customers/{target}/tax_ids", tax_id)


def _fields(params: Params) -> Params:
    return {name: value for name, value in params.items() if name not in (METHOD, TAX_IDS)}


_ACTS = {
    Makes.CUSTOMER: "updating",
    Makes.PAYMENT_METHOD: "attaching the payment method to",
    Makes.TAX_ID: "adding the tax id to",
}


def explained(refusal: Refusal, claim: Claim, step: Step) -> Refusal:
    """Why an update failed, in words that say what was done before it and what to do about it."""
    if claim.target is None:
        return refusal
    said = [f"{_ACTS[step.makes]} {claim.target} was refused: {refusal.message or refusal.code or 'no reason given'}"]
    if refusal.code == "resource_missing" and refusal.param in ("id", "customer"):
        said.append("the customer was deleted since it was found; retry looks again for who is there")
    if step.number:
        said.append("what was sent before it stays, and undo takes it back")
    return replace(refusal, message="; ".join(said))
