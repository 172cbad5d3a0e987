"""`find_or_create`: the same answer to whoever asks for the same e-mail, however many ask at once.

There is no ledger. Look first; then create under a key that everybody makes alike from the e-mail and the day, so
that of several creates only one is carried out; and believe no stored answer before it was looked at.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from bulk_import.errors import CustomerRefused, OutOfReach, StripeRefuses
from bulk_import.job.identity import Account
from bulk_import.model import Created, Endpoint, Failed, InDoubt, Refusal, Reply, Request
from bulk_import.replies import Halt, refusal_of
from bulk_import.settle import Again, Done, Expected, Limits, Taken, Tries, settle
from bulk_import.signup.client import Client, TooLate
from bulk_import.signup.day import ACTING, Day, day_of
from bulk_import.signup.looking import is_theirs, look, look_among_newest, look_before_a_day, look_until
from bulk_import.signup.person import Person, key_of, person_of

KEYS_A_DAY = 20
"""Keys that may be used up for one person in a day: by deleted customers, and by refusals such as a declined card."""

LIMITS = Limits(attempts=5, deadline=5.0)

UNTIL_TOMORROW = 1.0
"""Seconds between two looks whether a person's next day has begun."""


@dataclass(frozen=True, slots=True)
class FoundOrCreated:
    """The customer of an e-mail; `is_new` only when this very call is known to have made it."""

    customer_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a key leads to: a customer, or nothing, with the reason; nothing for sure only after so many seconds."""

    customer_id: str | None = None
    replayed: bool = False
    refusal: Refusal | None = None
    sure_after: float = 0.0


async def find_or_create(
    client: Client,
    email: str,
    *,
    name: str | None = None,
    metadata: Mapping[str, str] | None = None,
    payment_method: str | None = None,
) -> FoundOrCreated:
    """Find the customer of *email*, in any letter case, or create it; called at once by many, it makes one customer.

    Of several the oldest is taken. Who is found stays as it is: *name*, *metadata* and *payment_method* (attached and
    made the default) are for a new customer alone. Calling again after any error is safe.

    A key of this account that may not search (Stripe refuses that in some countries) sees only the letter case given
    and lower case: somebody created before today in other letters is then not found, and gets a second customer.
    Now and then a call takes up to 20 s longer, so that it makes no second one: in the first seconds of a person's day,
    once a day has to change the key; after a failure of Stripe's own; and after a call with other fields whose outcome
    this client has not seen (another process was told of a declined card, say).

    Raises `CustomerInvalid` before anything is sent when these fields cannot be a customer's, `CustomerRefused` when
    Stripe refuses this one (a declined card, say), `StripeRefuses` when it refuses us (key, permission, account), and
    `OutOfReach` when no clear answer comes within the client's patience.
    """
    person = person_of(email, name, metadata, payment_method)
    try:
        async with asyncio.timeout(client.patience) as patience:
            return await _find_or_create(client, person, patience.when() or 0.0)
    except TimeoutError:
        raise OutOfReach(
            f"Stripe gave no clear answer within {client.patience:g} s; calling again is safe and finds what was made"
        ) from None


async def _find_or_create(client: Client, person: Person, patience_ends: float) -> FoundOrCreated:
    account = await client.account()
    while True:
        asked_at = client.now()
        day = day_of(person.email_key, asked_at)
        found = await look(client, person)
        if not found and asked_at < day.opens_at:
            why = "a new day begins for this person, and what was sent before may still be on its way"
            found = await look_until(client, person, day, day.opens_at - asked_at, patience_ends, why)
        if found := found or await look_before_a_day(client, person, day):
            return FoundOrCreated(found, is_new=False)
        with suppress(TooLate):
            return await _create_on(client, person, account, day, patience_ends)
        await asyncio.sleep(UNTIL_TOMORROW)


async def _create_on(
    client: Client, person: Person, account: Account, day: Day, patience_ends: float
) -> FoundOrCreated:
    """Create under the first key of the day that is not used up; raises `TooLate` when the day ends meanwhile.

    Everybody goes from one key to the next in the same order, and only once nothing can come of the one before.
    """
    answer = _Answer()
    for number in range(KEYS_A_DAY):
        key = key_of(client.scope, account.id, person, day, number)
        if client.is_spent(key):
            continue
        answer = await _create(client, person, key, day)
        if answer.customer_id is not None and not answer.replayed:
            return FoundOrCreated(answer.customer_id, is_new=True)
        if answer.customer_id is not None and await is_theirs(client, answer.customer_id, person):
            return FoundOrCreated(answer.customer_id, is_new=False)
        if answer.sure_after:
            why = f"Stripe may or may not have created this customer ({_said(answer)}); calling again is safe"
            seconds = max(0.0, answer.sure_after - client.stuck_for(key))
            if found := await look_until(client, person, day, seconds, patience_ends, why):
                return FoundOrCreated(found, is_new=False)
    if answer.refusal is not None and not answer.sure_after:
        raise CustomerRefused(answer.refusal)
    raise OutOfReach(f"{KEYS_A_DAY} keys of this person are used up for today; try again tomorrow")


def _said(answer: _Answer) -> str:
    return answer.refusal.message or answer.refusal.type or "" if answer.refusal else ""


async def _create(client: Client, person: Person, key: str, day: Day) -> _Answer:
    """Send the create under *key* until its outcome is clear."""
    request = Request(Endpoint.CREATE, "POST", "/v1/customers", person.params, key)
    expected, tries, clock = Expected(client.livemode, None, person.email), Tries(), asyncio.get_running_loop().time
    while True:
        started = clock()
        reply = await client.send(request, before=day.closes_at(client.deadline))
        chance = random.random()  # noqa: S311 - spreads retries over time, guards nothing
        verdict = settle(reply, expected, tries, LIMITS, started=started, ended=clock(), chance=chance)
        match verdict:
            case Done(Created(customer_id)):
                return _Answer(customer_id, replayed=reply.replayed or tries.used > 0)
            case Done(Failed(refusal)):
                client.spend(key)
                if not reply.replayed:
                    raise CustomerRefused(refusal)
                return _Answer(refusal=refusal)  # an earlier call was refused; this one has a right to its own answer
            case Done(InDoubt()):
                return await _in_doubt(client, person, day, reply)
            case Done() | Taken():
                raise OutOfReach("Stripe's answer was no create's; call again")
            case Halt(message):
                raise StripeRefuses(message)
            case Again(delay, tries):
                await asyncio.sleep(delay)
            case _:
                assert_never(verdict)


async def _in_doubt(client: Client, person: Person, day: Day, reply: Reply) -> _Answer:
    """What may be done about a create without a clear answer: look, and use another key once absence is proven."""
    refusal = refusal_of(reply)
    if refusal.type == "idempotency_error":  # another call with other fields has the key, and may be on its way
        return _Answer(refusal=refusal, sure_after=ACTING)
    if reply.replayed:  # a failure that is stored is over; whatever came of it shows by now, or a deadline later
        return _Answer(refusal=refusal, sure_after=client.deadline)
    if found := await look_among_newest(client, person, day):
        return _Answer(found, replayed=True)
    raise OutOfReach(f"Stripe may or may not have created this customer ({refusal.message}); calling again is safe")
