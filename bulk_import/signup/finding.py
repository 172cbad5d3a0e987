"""`find_or_create`: the same answer to whoever asks for the same e-mail, however many ask at once.

There is no ledger. Look first; then create under a key that everybody makes alike from the e-mail and the day, so
that of several creates only one is carried out; and believe no stored answer before it was looked at.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from bulk_import.customer.emails import email_key, spellings
from bulk_import.errors import CustomerRefused, OutOfReach, StripeRefuses
from bulk_import.existing.pages import customer_from, customers_on, pages
from bulk_import.existing.search import LAG, quoted
from bulk_import.model import Created, Customer, Endpoint, Failed, InDoubt, Refusal, Reply, Request
from bulk_import.settle import Again, Done, Expected, Halt, Limits, Taken, Tries, refusal_of, settle
from bulk_import.signup.client import Client
from bulk_import.signup.person import Person, key_of, person_of

KEYS_A_DAY = 20
"""Keys that may be used up for one person in a day: by deleted customers, and by refusals such as a declined card."""

LIMITS = Limits(attempts=5, deadline=5.0)

ACTING = 30.0
"""Seconds for which a server may go on acting on a request: before that, a list without the person proves nothing."""

LOOKS = (0.0, 1.5)
"""Seconds before each look for somebody whom another request with our key has created, or is just creating."""

PAGES = 100
"""The most pages of the newest customers that are read for one person."""


@dataclass(frozen=True, slots=True)
class FoundOrCreated:
    """The customer of an e-mail; `is_new` only when this very call is known to have made it."""

    customer_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a key leads to: a customer, somebody else's create to look for, or nothing, with the reason."""

    customer_id: str | None = None
    replayed: bool = False
    taken: bool = False
    refusal: Refusal | None = None


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

    Raises `CustomerInvalid` before anything is sent when these fields cannot be a customer's, `CustomerRefused` when
    Stripe refuses this one (a declined card, say), `StripeRefuses` when it refuses us (key, permission, account), and
    `OutOfReach` when no clear answer comes within the client's patience.
    """
    person = person_of(email, name, metadata, payment_method)
    try:
        async with asyncio.timeout(client.patience):
            return await _find_or_create(client, person)
    except TimeoutError:
        raise OutOfReach(
            f"Stripe gave no clear answer within {client.patience:g} s; calling again is safe and finds what was made"
        ) from None


async def _find_or_create(client: Client, person: Person) -> FoundOrCreated:
    account = await client.account()
    if found := await _look(client, person):
        return FoundOrCreated(found, is_new=False)
    answer = _Answer()
    for number in range(KEYS_A_DAY):
        key = key_of(client.scope, account.id, person, client.now(), number)
        if client.is_spent(key):
            continue
        answer = await _create(client, person, key)
        if answer.customer_id is not None and not answer.replayed:
            return FoundOrCreated(answer.customer_id, is_new=True)
        if answer.customer_id is not None and await _is_theirs(client, answer.customer_id, person):
            return FoundOrCreated(answer.customer_id, is_new=False)
        if answer.taken and (found := await _look_again(client, person)):
            return FoundOrCreated(found, is_new=False)
    if answer.refusal is not None:
        raise CustomerRefused(answer.refusal)
    raise OutOfReach(f"{KEYS_A_DAY} keys of this person are used up for today; try again tomorrow")


async def _create(client: Client, person: Person, key: str) -> _Answer:
    """Send the create under *key* until its outcome is clear."""
    request = Request(Endpoint.CREATE, "POST", "/v1/customers", person.params, key)
    expected, tries, clock = Expected(client.livemode, None, person.email), Tries(), asyncio.get_running_loop().time
    while True:
        started = clock()
        reply = await client.send(request)
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
                return await _in_doubt(client, person, key, reply)
            case Done() | Taken():
                raise OutOfReach("Stripe's answer was no create's; call again")
            case Halt(message):
                raise StripeRefuses(message)
            case Again(delay, tries):
                await asyncio.sleep(delay)
            case _:
                assert_never(verdict)


async def _in_doubt(client: Client, person: Person, key: str, reply: Reply) -> _Answer:
    """What may be done about a create without a clear answer: look, and use another key once absence is proven."""
    refusal = refusal_of(reply)
    if refusal.type == "idempotency_error":
        return _Answer(taken=True)
    failing_for = client.failing_for(key)
    if found := await _look_among_newest(client, person):
        return _Answer(found, replayed=True)
    if reply.replayed and failing_for >= ACTING:
        return _Answer()
    raise OutOfReach(
        f"Stripe may or may not have created this customer ({refusal.message}); "
        f"calling again is safe, and settles it after {ACTING:.0f} s"
    )


# Looking.


async def _look(client: Client, person: Person) -> str | None:
    """The oldest customer with this e-mail: exactly as given, in lower case, and in any letter case."""
    for email in dict.fromkeys(each for case in (person.email, person.email.lower()) for each in spellings(case)):
        found = [c async for page in pages(client.ask, {"email": email}) for c in page]
        if theirs := _oldest(found, person):
            return theirs
    return await _search(client, person)


async def _search(client: Client, person: Person) -> str | None:
    """In any letter case; an account without a search is asked once."""
    if not client.searches:
        return None
    query = " OR ".join(f"email:{quoted(email)}" for email in spellings(person.email))
    params = {"query": query, "limit": 100}
    reply = await client.ask(Request(Endpoint.SEARCH, "GET", "/v1/customers/search", params), accept=(403, 404))
    if reply.status != 200:
        client.searches = reply.status == 400  # which is about this address alone
        return None
    for customer in sorted(customers_on(reply), key=lambda c: (c.created, c.id)):
        # Search shows the deleted for a while yet.
        if customer.email and await _is_theirs(client, customer.id, person):
            return customer.id
    return None


async def _look_again(client: Client, person: Person) -> str | None:
    """Look for whoever came from another request with our key, which may be on its way still."""
    for seconds in LOOKS:
        await asyncio.sleep(seconds)
        if found := await _look(client, person) or await _look_among_newest(client, person):
            return found
    return None


async def _look_among_newest(client: Client, person: Person) -> str | None:
    """The newest customers in any letter case, since search does not show them yet."""
    found = [c async for c in _newest(client)]
    return _oldest(found, person)


async def _newest(client: Client) -> AsyncIterator[Customer]:
    count = 0
    async for page in pages(client.ask, {"created": {"gte": int(client.now()) - LAG}}):
        for customer in page:
            yield customer
        count += 1
        if count == PAGES:
            return


async def _is_theirs(client: Client, customer_id: str, person: Person) -> bool:
    """Whether a customer that a stored answer or a search named is still there and still has this e-mail."""
    request = Request(Endpoint.RETRIEVE, "GET", f"/v1/customers/{customer_id}")
    reply = await client.ask(request, accept=(404,))
    shown = customer_from(reply.body) if reply.status == 200 else None
    return shown is not None and not shown.deleted and _oldest([shown], person) is not None


def _oldest(found: list[Customer], person: Person) -> str | None:
    theirs = [c for c in found if c.email and email_key(c.email) == person.email_key]
    return min(theirs, key=lambda c: (c.created, c.id)).id if theirs else None
